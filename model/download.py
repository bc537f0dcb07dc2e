"""Downloads a model in a child process, so that it can be paused at any time and resumes where it stopped.

Only the child (`python -m model.download HUB_ID`) may open sockets; the process that serves stays offline. It writes
JSON lines to its standard output: {"done": bytes, "total": bytes} as it goes, and {"error": message} if it fails.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from model.families import GB
from rag.errors import AskError, SettingRefused
from rag.messages import Message, Value

log = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[1]
END_SECONDS = 5.0  # from telling a child to end until it is killed
MAX_LINE = 10_000  # characters of a line that a child may write


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download has got."""

    model: str  # hub id
    done: int = 0  # bytes
    total: int = 0  # bytes; 0 until it is known
    paused: bool = False
    failed: Message | None = None  # why it stopped; it can be resumed

    @property
    def progress(self) -> Message:
        """How far it has got, as a sentence."""
        values: dict[str, Value] = {"model": self.model, "done": self.done / GB, "total": self.total / GB}
        return Message("{model}: {done:.4g} of {total:.4g} GB downloaded", values)


class Downloader:
    """One download at a time. Thread-safe."""

    def __init__(self, environment: Mapping[str, str], on_change: Callable[[], None]) -> None:
        """`environment`: of the child process; `on_change`: called, from any thread, whenever `state` changes."""
        self._environment, self._on_change = dict(environment), on_change
        self._lock = threading.Lock()
        self._state: Download | None = None
        self._finished: Callable[[], None] = lambda: None
        self._child: subprocess.Popen[str] | None = None

    @property
    def state(self) -> Download | None:
        """The download that is running, paused or failed; None if there is none."""
        return self._state

    def start(self, model: str, finished: Callable[[], None]) -> None:
        """Download a hub id, then call `finished` in its own thread.

        Raises SettingRefused if another is in progress.
        """
        with self._lock:
            if self._state is not None and self._state.model != model:
                raise SettingRefused(
                    "{model} is being downloaded: cancel that first, or wait until it is done.", model=self._state.model
                )
            if self._child is not None:
                return
            before = self._state
            self._finished = finished
            self._state = replace(before, paused=False, failed=None) if before else Download(model)
            self._child = self._spawn(model)
            threading.Thread(target=self._follow, args=(self._child,), name="download", daemon=True).start()
        self._on_change()

    def resume(self) -> None:
        """Resume the download that was paused or failed."""
        state = self._state
        if state is not None:
            self.start(state.model, self._finished)

    def pause(self) -> None:
        """Stop for now; what has arrived is kept."""
        self._stop(keep=True)

    def cancel(self) -> None:
        """Stop, and forget the download. What has arrived stays in the hub's cache for the next time."""
        self._stop(keep=False)

    def _stop(self, *, keep: bool) -> None:
        with self._lock:
            child, self._child = self._child, None
            self._state = replace(self._state, paused=True) if keep and self._state else None
        if child is not None:
            child.terminate()
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
        self._on_change()

    def _spawn(self, model: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "model.download", model],
            env=self._environment,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def _follow(self, child: subprocess.Popen[str]) -> None:
        """Handle the child's output until it ends."""
        failed: Message | None = None
        with child:
            for line in child.stdout or ():
                failed = self._take(child, line) or failed
        status = child.returncode
        with self._lock:
            if self._child is not child:  # paused or cancelled
                return
            self._child = None
            if status == 0:
                self._state = None
            elif self._state is not None:
                broken = Message("The download ended unexpectedly (status {status}).", {"status": status})
                self._state = replace(self._state, failed=failed or broken)
        self._on_change()
        if status == 0:
            self._finished()

    def _take(self, child: subprocess.Popen[str], line: str) -> Message | None:
        """Handle a line from the child; returns the error that it reports, if any."""
        told = json.loads(line[:MAX_LINE])
        if "error" in told:
            return Message.from_json(told["error"])
        with self._lock:
            if self._child is child and self._state is not None:
                self._state = replace(self._state, done=told["done"], total=told["total"])
        self._on_change()
        return None


def main(model: str) -> int:
    """Download a model, reporting progress on standard output; returns the exit status."""

    def tell(**what: object) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if done >= total or abs(done - told) >= total // 1_000:
            told = done
            tell(done=done, total=total)

    from model.hub import find_checkpoint  # here, so that the program that starts the child imports no torch

    try:
        find_checkpoint(model, hub_only=True, progress=progress)
    except AskError as error:
        tell(error=error.message.to_json())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
