"""Puts a restored library in place: a step that, once begun, is completed by the next start if it is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rag.store.blobs import delete

RESTORING: Final = "restoring"  # folder of the data folder: what is being restored
COMPLETE: Final = "complete"  # file in it: everything is unpacked and checked
FILES: Final = "files"


def put_in_place(data: Path) -> None:
    """Replace the data folder's contents by a restored backup, or delete an incomplete one; nothing without one.

    The caller has locked the data folder.
    """
    work = data / RESTORING
    if (work / COMPLETE).exists():
        if (work / FILES).exists():  # the old library is there, or part of it
            for old in (*data.glob("library.*"), data / FILES, data / "pictures"):
                delete(old)
            (work / FILES).rename(data / FILES)
        for path in work.iterdir():
            if path.name != COMPLETE:
                path.replace(data / path.name)
    if work.exists():
        delete(work)
