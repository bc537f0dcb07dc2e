"""`--repair`: repairs a data folder as far as possible, and says what was lost.

A document whose text is damaged is read again from its PDF. If that is damaged, too, only the damaged pages are lost. A
damaged database is rebuilt from the rows that can be read. What was damaged is kept in a separate folder.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rag.errors import StoreError, StoreInUse
from rag.messages import Message
from rag.records import JobState
from rag.settings import Settings
from rag.store.blobs import original_file
from rag.store.connection import FIRST_PAGE_SUFFIX, lock_folder
from rag.store.database import Store
from rag.store.folder import PRIVATE_FOLDER, make_private, prepare
from rag.store.leftovers import find_leftovers, remove_leftovers
from rag.store.schema import FORMAT
from rag.upkeep.check import JSON_COLUMNS, structure_problems
from rag.upkeep.documents import Damage, damaged_documents, file_fault
from rag.upkeep.salvage import copy_database, salvage

log = logging.getLogger(__name__)

LOST_PAGE: Final = Message("This page was damaged on disk and is lost: add the document again.")
EMPTY_JSON: Final = {"documents.kinds": "{}", "documents.outline": "[]", "documents.notes": "[]"}


def repair(settings: Settings) -> list[str]:
    """Repair a data folder that no program is using; returns what was done, one line each.

    Raises StoreInUse, and StoreError if the folder cannot be written.
    """
    prepare(settings)
    kept = settings.data_dir / time.strftime("damaged-%Y%m%d-%H%M%S")
    done = _rebuild(settings, kept) if _is_damaged(settings) else []
    with Store(settings.database) as store:
        if vectors := store.delete_damaged_vectors():
            done.append(f"{vectors} damaged vectors are made again at the next start.")
        done += _repair_rows(store)
        for damage in list(damaged_documents(store, settings)):
            done += _repair_document(store, settings, damage, kept)
        done += _repair_jobs(store, settings)
        if unclaimed := _move(find_leftovers(store, settings).unclaimed, kept):
            done.append(
                f"{unclaimed} PDFs whose entry in the database is lost were moved to {kept}: add them again with --add."
            )
        left = remove_leftovers(store, settings)
        if left:
            done.append(f"Deleted {len(left.paths)} files, {left.vectors} vectors and {left.tags} tags of no document.")
    make_private(settings.data_dir)
    return done


def _is_damaged(settings: Settings) -> bool:
    """Whether the database has to be rebuilt."""
    try:
        with Store(settings.database) as store:
            return any(structure_problems(store))
    except StoreError as exc:
        if not isinstance(exc.__cause__, sqlite3.Error) and _kept_format(settings) > FORMAT:
            raise  # in use, or written by a newer version
        if isinstance(exc, StoreInUse):
            raise
        return True


def _kept_format(settings: Settings) -> int:
    """The format of the database, from the copy of its first page: `user_version`, at offset 60 of the header."""
    copy = settings.database.with_suffix(FIRST_PAGE_SUFFIX)
    return int.from_bytes(copy.read_bytes()[60:64], "big") if copy.exists() else FORMAT + 1


def _rebuild(settings: Settings, kept: Path) -> list[str]:
    """Replace the damaged database, which is kept, with a new one of all rows that can be read."""
    lock = lock_folder(settings.data_dir)
    try:
        kept.mkdir(mode=PRIVATE_FOLDER)
        copy_database(settings.database, kept)
        with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="rebuilding-") as name:
            work = Path(name)
            new = work / "new.sqlite"
            lost = salvage(copy_database(settings.database, work), new)
            _claim_nothing_before_now(new)
            for path in settings.data_dir.glob(f"{settings.database.name}-*"):
                path.unlink()
            os.replace(new, settings.database)  # noqa: PTH105 - the name of the system call
    finally:
        lock.release()
    tables = f" Rows were lost of: {', '.join(lost)}." if lost else " No row was lost."
    return [f"The database was damaged and is rebuilt; the damaged one is kept in {kept} until you delete it.{tables}"]


def _claim_nothing_before_now(new: Path) -> None:
    """Mark all files as older than the database, so that those of lost entries are kept."""
    with sqlite3.connect(new) as sql:
        sql.execute("INSERT OR REPLACE INTO meta VALUES ('created', ?)", (str(time.time()),))
    sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sql.close()


def _repair_rows(store: Store) -> Iterator[str]:
    """Empty what is no longer valid JSON; delete conversations and runs that cannot be read."""
    for table, column in JSON_COLUMNS:
        where = f"NOT json_valid({column})"
        with store.transaction() as sql:
            empty = EMPTY_JSON.get(f"{table}.{column}")
            change = f"UPDATE {table} SET {column} = '{empty}'" if empty else f"DELETE FROM {table}"
            changed = sql.execute(f"{change} WHERE {where}").rowcount
        if changed:
            yield f"{changed} rows of {table} were damaged and are lost."


def _repair_document(store: Store, settings: Settings, damage: Damage, kept: Path) -> Iterator[str]:
    if damage.file == "damaged":
        _move([original_file(settings.files_dir, damage.id)], kept)
    if damage.text and not damage.file:
        _read_again(store, damage)
        yield f"{damage.name}: is damaged, and is read again from its PDF at the next start."
        return
    if damage.text:
        _drop_damaged_pages(store, damage)
        yield f"{damage}: the damaged pages are lost. Add the document again."
    elif damage.file:
        yield f"{damage.name}: its PDF is {damage.file}. Its text can be searched; add the file again to see its pages."


def _read_again(store: Store, damage: Damage) -> None:
    """Queue a document as if it had just been added."""
    with store.transaction() as sql:
        sql.execute("DELETE FROM documents WHERE key = ?", (damage.key,))
        sql.execute(
            "INSERT INTO jobs (owner, document_id, name, state, message, replaces) VALUES (?, ?, ?, ?, '', '')",
            (damage.owner, damage.id, damage.name, JobState.WAITING),
        )


def _drop_damaged_pages(store: Store, damage: Damage) -> None:
    """Delete the text of damaged pages, and all passages that contain it."""
    with store.transaction() as sql:
        for passage in damage.passages:
            sql.execute("DELETE FROM passages WHERE id = ?", (passage,))
        for page in damage.pages:
            sql.execute(
                "DELETE FROM passages WHERE document = ? AND ? BETWEEN first_page AND last_page", (damage.key, page)
            )
            sql.execute(
                "UPDATE pages SET text = '', words = x'', crc = 0, note = ? WHERE document = ? AND number = ?",
                (json.dumps(LOST_PAGE.to_json()), damage.key, page),
            )
        sql.execute(
            "UPDATE documents SET passages = (SELECT COUNT(*) FROM passages WHERE document = key),"
            " pages = (SELECT COUNT(*) FROM pages WHERE document = key) WHERE key = ?",
            (damage.key,),
        )


def _repair_jobs(store: Store, settings: Settings) -> Iterator[str]:
    """Delete jobs whose file cannot be read."""
    for job in store.jobs():
        if job.state is not JobState.FAILED and (fault := file_fault(settings.files_dir, job.document_id)):
            store.remove_job(job.id)
            yield f"{job.name}: was not added yet, and its file is {fault}: add it again."


def _move(paths: Sequence[Path], folder: Path) -> int:
    """Move files into a folder; returns how many."""
    if paths:
        folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
    for path in paths:
        path.replace(folder / path.name)
    return len(paths)
