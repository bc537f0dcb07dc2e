"""`--backup FILE`: everything in a data folder that cannot be made again, as one ZIP archive.

SQLite's online backup (https://sqlite.org/backup.html) copies the database in one step, so that the copy is consistent
even while the program runs. Then the files that it names are added. A document removed in between is taken out of the
copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from rag.errors import StoreError
from rag.settings import Settings
from rag.store.blobs import BLOCK, SHA256, original_file, unlocked_file
from rag.store.folder import PRIVATE_FILE
from rag.store.leftovers import NEEDED_COPIES, NEEDED_FILES
from rag.store.removals import begin_removal
from rag.upkeep.reading import ReadOnlyDatabase

DATABASE: Final = "library.sqlite"
MANIFEST: Final = "manifest.json"  # the last member: {"format": 1, "files": {name: {"bytes": …, "sha256": …}}}
OTHERS: Final = ("server.json", "api-tokens.json")
ACCOUNTS: Final = "accounts.sqlite"  # copied like the library; does not exist before the first user is added
VERSION: Final = 1
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    documents: int
    conversations: int
    bytes: int
    missing: tuple[str, ...]  # names of documents whose PDF is missing

    def __str__(self) -> str:
        """Lines for a person."""
        lines = [f"{self.documents:,} documents, {self.conversations:,} conversations, {self.bytes / 1e6:.1f} MB"]
        lines += [f"{name}: its PDF is missing; its text is in the backup" for name in self.missing]
        return "\n".join(lines)


def back_up(settings: Settings, file: Path) -> Backup:
    """Write a backup to a new file that only this user can read. Raises StoreError if that fails."""
    if file.exists():
        raise StoreError("{file} exists already: choose another name for the backup.", file=str(file))
    partial = file.with_name(f"{file.name}.part")
    try:
        with ReadOnlyDatabase(settings.database) as database, tempfile.TemporaryDirectory(dir=file.parent) as folder:
            copy = Path(folder) / DATABASE
            _copy_database(database.sql, copy)
            if (settings.data_dir / ACCOUNTS).exists():
                with closing(sqlite3.connect(settings.data_dir / ACCOUNTS)) as accounts:
                    _copy_database(accounts, copy.with_name(ACCOUNTS))
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            with os.fdopen(descriptor, "w+b") as target:
                made = _write(target, settings, database, copy)
                target.flush()
                os.fsync(target.fileno())
        partial.rename(file)
        return made
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(
            "The backup {file} cannot be written ({reason}): check the disk, or choose another place.",
            file=str(file),
            reason=getattr(exc, "strerror", None) or str(exc),
        ) from exc
    finally:
        partial.unlink(missing_ok=True)


def _copy_database(sql: sqlite3.Connection, copy: Path) -> None:
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    with closing(sqlite3.connect(copy)) as target:
        sql.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def _write(target: IO[bytes], settings: Settings, database: ReadOnlyDatabase, copy: Path) -> Backup:
    files: dict[str, dict[str, Any]] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        missing = []
        for document_id in _ids(copy):
            path = original_file(settings.files_dir, document_id)
            if not _add(archive, files, f"files/{path.name}", path):
                missing.append(document_id)
        for owner, document_id in _owned(copy):
            path = unlocked_file(settings.files_dir, owner, document_id)
            _add(archive, files, f"files/{path.name}", path)
        for name in OTHERS:
            _add(archive, files, name, settings.data_dir / name)
        _add(archive, files, ACCOUNTS, copy.with_name(ACCOUNTS))
        removed = [one for one in missing if not _still_there(database, one)]
        _remove(copy, removed)
        _add(archive, files, DATABASE, copy, zipfile.ZIP_DEFLATED)
        archive.writestr(_member(MANIFEST), json.dumps({"format": VERSION, "files": files}))
    return _told(copy, set(missing) - set(removed), target.tell())


def _ids(copy: Path) -> list[str]:
    with closing(sqlite3.connect(copy)) as sql:
        return [one for (one,) in sql.execute(NEEDED_FILES) if SHA256.fullmatch(str(one))]


def _owned(copy: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(copy)) as sql:
        return [(owner, one) for owner, one in sql.execute(NEEDED_COPIES) if SHA256.fullmatch(str(one))]


def _still_there(database: ReadOnlyDatabase, document_id: str) -> bool:
    return bool(database.rows(f"SELECT 1 FROM ({NEEDED_FILES}) WHERE id = ?", (document_id,)))


def _remove(copy: Path, ids: list[str]) -> None:
    """Take documents and waiting files out of the copy; the restored program erases them at its next start."""
    with closing(sqlite3.connect(copy)) as sql, sql:
        for document_id in ids:
            for (owner,) in sql.execute("SELECT owner FROM documents WHERE id = ?", (document_id,)).fetchall():
                begin_removal(sql, owner, document_id)
            sql.execute("DELETE FROM jobs WHERE document_id = ?", (document_id,))


def _add(archive: zipfile.ZipFile, files: dict[str, Any], name: str, path: Path, how: int = zipfile.ZIP_STORED) -> bool:
    """Add a file; False if it does not exist."""
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return False
    digest, size = hashlib.sha256(), 0
    with source, archive.open(_member(name, how), "w", force_zip64=True) as target:
        for block in _blocks(source):
            target.write(block)
            digest.update(block)
            size += len(block)
    files[name] = {"bytes": size, "sha256": digest.hexdigest()}
    return True


def _member(name: str, how: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _FIXED_TIME)
    member.compress_type, member.external_attr = how, PRIVATE_FILE << 16
    return member


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: source.read(BLOCK), b"")


def _told(copy: Path, missing: set[str], size: int) -> Backup:
    with closing(sqlite3.connect(copy)) as sql:
        (documents,) = sql.execute("SELECT COUNT(*) FROM documents").fetchone()
        (conversations,) = sql.execute("SELECT COUNT(*) FROM conversations").fetchone()
        names = [str(name) for one, name in sql.execute("SELECT id, name FROM documents") if one in missing]
    return Backup(documents, conversations, size, tuple(names))
