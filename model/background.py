"""A GLM on its way in: found or downloaded, fitted and loaded, while something else answers.

One that was loaded before is freed first. Reports in sentences for people; knows nothing of who shows them.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import AskError, SettingRefused
from rag.reader import Reader

if TYPE_CHECKING:
    from model.reader import GlmReader

log = logging.getLogger(__name__)

GB = 1_000_000_000
REPORT_SECONDS = 0.5  # between two reports of progress
FREED_SECONDS = 600.0  # longest wait for the answer that the former model is giving


@dataclass(frozen=True)
class Told:
    """Whom to tell. All are called from the loading thread, `release` also from that of `unload`."""

    release: Callable[[], None]  # answer with something that needs no model, and let go of the former reader
    progress: Callable[[str], None]  # a sentence: what is being done, and how far it is
    ready: Callable[[Reader, str], None]  # the reader, and why it is held as it is
    failed: Callable[[str], None]  # a sentence: what is wrong and the way out


class Loading:
    """Loads one model at a time in a thread of its own, and never holds two."""

    def __init__(
        self, told: Told, *, download: bool, context: int | None = None, wait: Callable[[], None] = lambda: None
    ) -> None:
        """`download`: models may be downloaded; `context`: as in `load_reader`; `wait`: returns when it may begin."""
        self._told, self._download, self._context, self._wait = told, download, context, wait
        self._lock = threading.Lock()
        self._busy_with = ""
        self._last = 0.0
        self._held: Callable[[], GlmReader | None] = lambda: None  # what was loaded last, while anybody uses it

    def start(self, name: str, precision: str = "auto", *, hub_only: bool = False) -> None:
        """Begin to load a hub id or, but for `hub_only`, a folder.

        Raises SettingRefused while another one is being loaded.
        """
        with self._lock:
            self._refuse_second()
            self._busy_with = name
        threading.Thread(target=self._load, args=(name, precision, hub_only), name="load-model", daemon=True).start()

    def unload(self) -> None:
        """Go back to what needs no model. Raises SettingRefused while one is being loaded."""
        with self._lock:
            self._refuse_second()
            self._told.release()
        gc.collect()

    def held_bytes(self) -> int:
        """Memory of the model that was loaded, which the next one will find free."""
        reader = self._held()
        return reader.weight_bytes if reader is not None else 0

    def _refuse_second(self) -> None:
        if self._busy_with:
            raise SettingRefused(f"{self._busy_with} is being loaded: choose another model when it is done.")

    def _load(self, name: str, precision: str, hub_only: bool) -> None:
        try:
            self._told.progress(f"{name} is next")
            self._wait()
            from model.load import load_reader

            self._free()
            self._told.progress(f"looking for {name}")
            reader = load_reader(
                name,
                precision=precision,
                context=self._context,
                hub_only=hub_only,
                offline=not self._download,
                download_progress=lambda done, whole: self._report(name, "downloaded", done / GB, whole / GB, "GB"),
                load_progress=lambda done, whole: self._report(name, "loaded", done, whole, "tensors"),
            )
        except AskError as exc:
            log.warning("%s", exc)
            self._told.failed(str(exc))
        except Exception:  # a worker's edge: the quote reader goes on whatever a checkpoint holds
            log.exception("Loading %s failed", name)
            self._told.failed(f"{name} could not be loaded because of an error in the program; see the log.")
        else:
            self._held = weakref.ref(reader)
            self._told.ready(reader, reader.why)
        finally:
            with self._lock:
                self._busy_with = ""

    def _free(self) -> None:
        """Let go of the former model, and wait until the answer that it is giving is over."""
        from model.device import empty_cache

        if self._held() is None:
            return
        self._told.release()
        ends = time.monotonic() + FREED_SECONDS
        gc.collect()
        while self._held() is not None and time.monotonic() < ends:
            self._told.progress("waiting for the former model to finish its answer")
            time.sleep(REPORT_SECONDS)
            gc.collect()
        gc.collect()  # the reader may have gone after the first round, and its model is part of cycles
        empty_cache()

    def _report(self, name: str, done_word: str, done: float, whole: float, unit: str) -> None:
        now = time.monotonic()
        if now - self._last > REPORT_SECONDS or done >= whole:
            self._last = now
            self._told.progress(f"{name}: {done:.4g} of {whole:.4g} {unit} {done_word}")
