"""A GLM on its way in: found or downloaded, fitted and loaded, while something else answers.

Reports in sentences for people; knows nothing of who shows them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rag.errors import AskError, SettingRefused
from rag.reader import Reader

log = logging.getLogger(__name__)

GB = 1_000_000_000
REPORT_SECONDS = 0.5  # between two reports of progress


@dataclass(frozen=True)
class Told:
    """Whom to tell. All are called from the loading thread."""

    progress: Callable[[str], None]  # a sentence: what is being done, and how far it is
    ready: Callable[[Reader, str], None]  # the reader, and why it is held as it is
    failed: Callable[[str], None]  # a sentence: what is wrong and the way out


class Loading:
    """Loads one model at a time in a thread of its own."""

    def __init__(self, told: Told, *, download: bool) -> None:
        """`download`: whether a model that is not on this machine may be fetched."""
        self._told, self._download = told, download
        self._lock = threading.Lock()
        self._busy_with = ""
        self._last = 0.0

    def start(self, name: str, precision: str = "auto") -> None:
        """Begin to load a hub id or a folder. Raises SettingRefused while another one is being loaded."""
        with self._lock:
            if self._busy_with:
                raise SettingRefused(f"{self._busy_with} is being loaded: choose another model when it is done.")
            self._busy_with = name
        threading.Thread(target=self._load, args=(name, precision), name="load-model", daemon=True).start()

    def _load(self, name: str, precision: str) -> None:
        from model.load import load_reader

        try:
            self._told.progress(f"looking for {name}")
            reader = load_reader(
                name,
                precision=precision,
                offline=not self._download,
                download_progress=lambda done, whole: self._report(name, "downloaded", done / GB, whole / GB, "GB"),
                load_progress=lambda done, whole: self._report(name, "loaded", done, whole, "tensors"),
            )
        except AskError as exc:
            log.warning("%s", exc)
            self._told.failed(str(exc))
        except Exception:
            log.exception("Loading %s failed", name)
            self._told.failed(f"{name} could not be loaded because of an error in the program; see the log.")
        else:
            self._told.ready(reader, reader.why)
        finally:
            with self._lock:
                self._busy_with = ""

    def _report(self, name: str, done_word: str, done: float, whole: float, unit: str) -> None:
        now = time.monotonic()
        if now - self._last > REPORT_SECONDS or done >= whole:
            self._last = now
            self._told.progress(f"{name}: {done:.4g} of {whole:.4g} {unit} {done_word}")
