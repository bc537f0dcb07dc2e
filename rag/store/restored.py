"""Puts a restored library in place. If this is interrupted, the next start completes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rag.store.blobs import delete

RESTORING: Final = "restoring"  # folder in the data folder that holds what is being restored
COMPLETE: Final = "complete"  # file in it: everything has been unpacked and checked
FILES: Final = "files"


def put_in_place(data: Path) -> None:
    """Replace the data folder's contents with a restored backup, or delete an incomplete one; does nothing without one.

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
