"""`--restore FILE`: unpacks a backup into a data folder, completely or not at all.

The archive may come from anybody. Only members with names that a backup has are unpacked, each up to the size in the
manifest, and checked against its SHA-256. The database must be intact and contain nothing but tables. All of that
happens in a folder next to the data; then the new files replace the old ones. If the program is killed in between, the
next start completes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from rag.errors import StoreError
from rag.settings import Settings
from rag.store.blobs import BLOCK, delete
from rag.store.connection import READ_ONLY, lock_folder, uri_of
from rag.store.folder import PRIVATE_FILE, PRIVATE_FOLDER, make_private
from rag.store.restored import COMPLETE, RESTORING, put_in_place
from rag.store.schema import FORMAT
from rag.upkeep.backup import ACCOUNTS, DATABASE, MANIFEST, OTHERS, VERSION

MAX_MANIFEST_BYTES: Final = 200_000_000
MAX_MEMBERS: Final = 1_000_000
FREE_BYTES: Final = 100_000_000  # to be left free on the disk
NAMES: Final = re.compile(
    rf"files/[0-9a-f]{{64}}\.(pdf|open)|{'|'.join(map(re.escape, (DATABASE, ACCOUNTS, *OTHERS)))}"
)


def restore(settings: Settings, file: Path, *, overwrite: bool) -> str:
    """Restore a backup; returns what it contained, as one line.

    Raises StoreInUse, and StoreError if the folder holds a library and `overwrite` is not set, or if the archive is not
    a complete backup. In these cases nothing is changed.
    """
    _create_folder(settings, overwrite)
    lock = lock_folder(settings.data_dir)
    work = settings.data_dir / RESTORING
    try:
        delete(work)
        (work / "files").mkdir(parents=True, mode=PRIVATE_FOLDER)
        with zipfile.ZipFile(file) as archive:
            _unpack(archive, work)
        told = _checked(work / DATABASE, file)
        (work / COMPLETE).touch(PRIVATE_FILE)
        put_in_place(settings.data_dir)
        make_private(settings.data_dir)
        return told
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as exc:
        raise _refusal(file, getattr(exc, "strerror", None) or str(exc)) from exc
    finally:
        delete(work)
        lock.release()


def _create_folder(settings: Settings, overwrite: bool) -> None:
    """Create the data folder. Raises StoreError if it holds a library that must not be overwritten."""
    if settings.database.exists() and not overwrite:
        raise StoreError(
            "{folder} holds a library already: name another --data-dir, or add --overwrite to replace that library.",
            folder=str(settings.data_dir),
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)


def _refusal(file: Path, reason: str) -> StoreError:
    return StoreError(
        "{file} is not restored ({reason}): nothing was changed. Use a file that --backup wrote.",
        file=str(file),
        reason=reason[:300],
    )


def _unpack(archive: zipfile.ZipFile, work: Path) -> None:
    """Unpack all members. Raises ValueError for anything that no backup contains."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"it has {len(members):,} members")
    manifest = archive.getinfo(MANIFEST)
    if manifest.file_size > MAX_MANIFEST_BYTES:
        raise ValueError("its manifest is too large")
    told = json.loads(archive.read(manifest))
    files: dict[str, dict[str, Any]] = told["files"]
    if told["format"] != VERSION:
        raise ValueError(f"it has format {told['format']!r}, this version of the program reads {VERSION}")
    names = [member.filename for member in members if member.filename != MANIFEST]
    if sorted(names) != sorted(files) or DATABASE not in files or not all(map(NAMES.fullmatch, names)):
        raise ValueError("its members are not those of a backup")
    total = sum(int(one["bytes"]) for one in files.values())
    if total > shutil.disk_usage(work).free - FREE_BYTES:
        raise ValueError(f"it takes {total / 1e6:,.0f} MB, more than the disk has free")
    for name, one in files.items():
        _unpack_member(archive, name, work / name, int(one["bytes"]), str(one["sha256"]))


def _unpack_member(archive: zipfile.ZipFile, name: str, target: Path, size: int, sha256: str) -> None:
    digest, left = hashlib.sha256(), size
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file, archive.open(name) as source:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{name} is larger than it says")
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if left or digest.hexdigest() != sha256:
        raise ValueError(f"{name} is damaged")


def _checked(database: Path, file: Path) -> str:
    """What a database contains, as one line. Raises ValueError if it is damaged, too new, or has triggers or views."""
    try:
        with closing(sqlite3.connect(uri_of(database, READ_ONLY), uri=True)) as sql:
            sql.execute("PRAGMA trusted_schema=OFF")
            odd = sql.execute(
                "SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
            ).fetchall()
            (version,) = sql.execute("PRAGMA user_version").fetchone()
            if odd or not 0 < version <= FORMAT:
                raise ValueError(f"its database has format {version}, or contains more than tables")
            found = [row[0] for row in sql.execute("PRAGMA integrity_check(1)")]
            if found != ["ok"]:
                raise ValueError(f"its database is damaged: {found[0]}")
            (documents,) = sql.execute("SELECT COUNT(*) FROM documents").fetchone()
    except sqlite3.Error as exc:
        raise ValueError(f"its database is damaged: {exc}") from exc
    return f"{documents:,} documents are restored from {file}."
