"""Loads a GLM in a background thread while another reader answers.

The previous model keeps answering until the new one is ready, if both fit in memory; otherwise it is unloaded once the
new checkpoint has been found and checked. Progress is reported as messages for people; who shows them is not known
here.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from model.download import Download
from model.load_settings import NO_SETTINGS, LoadSettings, Source
from rag.bugs import bugs_become
from rag.errors import AskError, ReaderError, SettingRefused
from rag.messages import Message, Value
from rag.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from model.load import PreparedModel
    from model.memory import PrecisionChoice
    from model.reader import GlmReader

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.5  # between two progress reports
MAX_WAIT_SECONDS = 600.0  # to wait for the answer that the previous model is giving


@dataclass(frozen=True)
class LoadCallbacks:
    """What the loader calls, from its own thread; `release` also from the thread that calls `unload`."""

    release: Callable[[], None]  # let go of the previous reader, and answer with one that needs no model
    on_progress: Callable[[Message], None]  # what is being done, and how far it has got
    on_ready: Callable[[Reader, Message], None]  # the reader, and why it has its precision and device
    on_failure: Callable[[Message], None]  # what is wrong, and what to do


class BackgroundLoader:
    """Loads one model at a time. Holds two only while the second is loading and both fit in memory."""

    def __init__(
        self,
        callbacks: LoadCallbacks,
        *,
        download: bool,
        settings: LoadSettings = NO_SETTINGS,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        """`download`: whether models may be downloaded; `wait`: returns when loading may start.

        `settings`: for all models, except precision and adapter.
        """
        self._callbacks, self._download, self._wait = callbacks, download, wait
        self.settings = settings
        self._lock = threading.Lock()
        self._busy_with = ""  # name of the model being loaded
        self._last_report = 0.0
        self._loaded: Callable[[], GlmReader | None] = lambda: None  # weak reference to the last model loaded

    def start(self, name: str, precision: str = "auto", *, hub_only: bool = False, adapter: Path | None = None) -> None:
        """Start loading a hub id or, unless `hub_only`, a folder; optionally with an adapter.

        Raises SettingRefused if another is being loaded.
        """
        with self._lock:
            self._refuse_if_busy()
            self._busy_with = name
        threading.Thread(
            target=self._load, args=(name, precision, hub_only, adapter), name="load-model", daemon=True
        ).start()

    def unload(self) -> None:
        """Free the model, and return to a reader that needs none. Raises SettingRefused while a model is loading."""
        with self._lock:
            self._refuse_if_busy()
            self._callbacks.release()
        gc.collect()

    def use(self, reader: Reader, why: Message) -> None:
        """Free the model, and answer with a reader that needs none here.

        Raises SettingRefused while a model is loading.
        """
        self.unload()
        self._callbacks.on_ready(reader, why)

    def held_bytes(self) -> int:
        """Memory in bytes of the loaded model and its prompt cache, which can be freed for the next one."""
        reader = self._loaded()
        return 0 if reader is None else reader.weight_bytes + reader.prompt_cache_usage.bytes

    def _refuse_if_busy(self) -> None:
        if self._busy_with:
            raise SettingRefused(
                "{model} is being loaded: choose another model when that is done.", model=self._busy_with
            )

    def _load(self, name: str, precision: str, hub_only: bool, adapter: Path | None) -> None:
        unloaded = ""
        bug = ReaderError("{model} could not be loaded because of an error in the program; see the log.", model=name)
        try:
            with bugs_become(bug):
                self._callbacks.on_progress(Message("{model} is next", {"model": name}))
                self._wait()
                from model.load import prepare

                self._callbacks.on_progress(Message("looking for {model}", {"model": name}))
                source = Source(
                    hub_only=hub_only,
                    offline=not self._download,
                    progress=lambda done, total: self._report_download(name, done, total),
                )
                prepared = prepare(name, dataclasses.replace(self.settings, adapter=adapter), source)
                choice = prepared.choose(precision, reclaimable=self.held_bytes(), kv=self.settings.kv)
                unloaded = self._make_room(prepared, choice)
                report = partial(self._report_tensors, name)
                reader = prepared.load(choice, report, self.settings.prompt_cache)
        except AskError as error:
            log.warning("%s", error)
            self._fail(error.message, unloaded)
        else:
            self._loaded = weakref.ref(reader)
            self._callbacks.on_ready(reader, reader.why)
            del reader
            _collect()
        finally:
            with self._lock:
                self._busy_with = ""

    def _make_room(self, prepared: PreparedModel, choice: PrecisionChoice) -> str:
        """Unload the previous model unless the new one fits next to it; returns the name of what was unloaded.

        Waits for the answer that the previous model is giving.
        """
        previous = self._loaded()
        if previous is None:
            return ""
        previous.clear_prompt_cache()
        name, free = previous.name, prepared.free_bytes()
        del previous
        if free is not None and choice.needed <= free:
            return ""
        self._callbacks.release()
        ends = time.monotonic() + MAX_WAIT_SECONDS
        gc.collect()
        while self._loaded() is not None and time.monotonic() < ends:
            self._callbacks.on_progress(Message("waiting for the previous model to finish its answer"))
            time.sleep(REPORT_SECONDS)
            gc.collect()
        _collect()  # again, because the model is part of reference cycles
        return name

    def _fail(self, reason: Message, unloaded: str) -> None:
        if unloaded:
            reason = Message(
                "{reason} {previous} was unloaded before, because the two do not fit in memory together; load it again"
                " if you want it back.",
                {"reason": reason, "previous": unloaded},
            )
        self._callbacks.on_failure(reason)

    def _report_download(self, name: str, done: int, total: int) -> None:
        if self._due(done, total):
            self._callbacks.on_progress(Download(name, done, total).progress)

    def _report_tensors(self, name: str, done: int, total: int) -> None:
        if self._due(done, total):
            values: dict[str, Value] = {"model": name, "done": done, "total": total}
            self._callbacks.on_progress(Message("{model}: {done} of {total} tensors loaded", values))

    def _due(self, done: int, total: int) -> bool:
        """Whether to report now: at the end, or REPORT_SECONDS after the last report."""
        now = time.monotonic()
        if now - self._last_report <= REPORT_SECONDS and done < total:
            return False
        self._last_report = now
        return True


def _collect() -> None:
    """Free unreachable models, and return their memory to the GPU."""
    from model.device import empty_cache

    gc.collect()
    empty_cache()
