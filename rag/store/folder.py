"""The data folder: creates it, and keeps it private to the user who runs the program, whatever the umask is."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rag.errors import StoreError
from rag.settings import Settings

log = logging.getLogger(__name__)

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
FOLDERS: Final = ("files", "pictures", "incoming")  # in the data folder, with everything in them
FILES: Final = ("library.*", "*.json", "lock")  # directly in the data folder


def prepare(settings: Settings) -> None:
    """Create the data folder and its folders, and take away everybody else's access.

    A folder that cannot be made private, for example because it belongs to another user, is used anyway, and the log
    says so. Raises StoreError if the folder cannot be used.
    """
    data, database = settings.data_dir, settings.database
    try:
        data.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        for folder in (settings.files_dir, settings.pictures_dir):
            folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, PRIVATE_FILE))  # SQLite would follow the umask
        make_private(data)
    except OSError as exc:
        raise StoreError(
            "The data folder {folder} cannot be used ({reason}): choose another --data-dir.",
            folder=str(data),
            reason=exc.strerror or str(exc),
        ) from exc


def make_private(data: Path) -> None:
    """Set the permissions of the data folder and of our files in it; logs those that cannot be changed."""
    for path in readable_for_others(data):
        try:
            path.chmod(path.stat().st_mode & ~OTHERS)
        except PermissionError as exc:
            log.warning(
                "%s cannot be made private (%s): other users of this machine may read it. Change its owner, or choose"
                " another --data-dir.",
                path,
                exc.strerror,
            )


def readable_for_others(data: Path) -> list[Path]:
    """The data folder and our files in it that others have any access to."""
    return [path for path in _ours(data) if not path.is_symlink() and path.stat().st_mode & OTHERS]


def _ours(data: Path) -> Iterator[Path]:
    yield data
    for pattern in FILES:
        yield from data.glob(pattern)
    for name in FOLDERS:
        if (data / name).is_dir():
            yield data / name
            yield from (data / name).rglob("*")
