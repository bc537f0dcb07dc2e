"""What a crash leaves behind: files that no document or job needs, their pictures, half-written copies, vectors.

Files are written before the database mentions them, and deleted after it no longer does. So a file that the database
does not mention is never needed, and is deleted at every start. Only files older than the database are kept: they
belong to a database that was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from rag.settings import Settings
from rag.store.annotations import ORPHAN_TAGS
from rag.store.blobs import PARTIAL_PREFIX, PARTIAL_SUFFIX, SHA256, UNLOCKED_SUFFIX, copy_name, delete
from rag.store.connection import Connection

log = logging.getLogger(__name__)

# A failed job shows its reason until it is dismissed, but no longer has a file.
NEEDED_FILES: Final = "SELECT id FROM documents UNION SELECT document_id FROM jobs WHERE state != 'failed'"
# After a restart, a job asks for its password again, so only complete documents need an unlocked copy.
NEEDED_COPIES: Final = "SELECT owner, id FROM documents"
ORPHAN_VECTORS: Final = "vectors WHERE digest NOT IN (SELECT digest FROM passages)"


class Rows(Protocol):
    """Anything that answers queries: an open store, or a read-only database."""

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What nothing refers to any more."""

    paths: tuple[Path, ...]  # files, and folders of pictures
    unclaimed: tuple[Path, ...]  # PDFs older than the database: they belong to one that was lost, so they are kept
    vectors: int
    tags: int

    def __bool__(self) -> bool:
        return bool(self.paths or self.vectors or self.tags)


def find_leftovers(store: Rows, settings: Settings) -> Leftovers:
    """Find what is left behind in a data folder that no program is using.

    Vectors of unfinished jobs are not leftovers: the jobs continue from them.
    """
    unfinished = store.rows("SELECT 1 FROM jobs WHERE state NOT IN ('failed', 'locked') LIMIT 1")
    copies = {copy_name(row[0], row[1]) for row in store.rows(NEEDED_COPIES)}
    unnamed = list(_unnamed_files(store, settings, copies))
    unclaimed = _unclaimed(store, unnamed)
    files = [path for path in unnamed if path not in unclaimed]
    return Leftovers(
        (*files, *_pictures(settings, copies), *settings.data_dir.glob(f"{PARTIAL_PREFIX}*{PARTIAL_SUFFIX}")),
        tuple(unclaimed),
        0 if unfinished else int(store.rows(f"SELECT COUNT(*) FROM {ORPHAN_VECTORS}")[0][0]),
        int(store.rows(f"SELECT COUNT(*) FROM {ORPHAN_TAGS}")[0][0]),
    )


def _unnamed_files(store: Rows, settings: Settings, copies: Container[str]) -> Iterator[Path]:
    """PDFs and unlocked copies that no document or job needs, and half-written copies."""
    files = {row[0] for row in store.rows(NEEDED_FILES)}
    for path in sorted(settings.files_dir.glob("*")):
        needed = copies if path.suffix == UNLOCKED_SUFFIX else files
        if is_partial(path) or (SHA256.fullmatch(path.stem) and path.stem not in needed):
            yield path


def _unclaimed(store: Rows, unnamed: Sequence[Path]) -> list[Path]:
    """The PDFs among these that are older than the database."""
    created = store.rows("SELECT value FROM meta WHERE key = 'created'")
    began = float(created[0]["value"]) if created else 0.0
    return [
        path
        for path in unnamed
        if not is_partial(path) and path.suffix != UNLOCKED_SUFFIX and path.stat().st_mtime < began
    ]


def _pictures(settings: Settings, copies: Container[str]) -> Iterator[Path]:
    """Picture folders that belong to no document, and half-written pictures in the others."""
    for folder in sorted(settings.pictures_dir.glob("*")):
        if SHA256.fullmatch(folder.name) and folder.name not in copies:
            yield folder
        else:
            yield from folder.glob(f"*{PARTIAL_SUFFIX}")


def is_partial(path: Path) -> bool:
    """Whether a file is an unfinished copy."""
    return path.name.startswith(PARTIAL_PREFIX) and path.suffix == PARTIAL_SUFFIX


def remove_leftovers(store: Connection, settings: Settings) -> Leftovers:
    """Delete what is left behind, also from the write-ahead log; returns what it was.

    Raises StoreError if the database cannot be written. What cannot be deleted is logged and kept.
    """
    found = find_leftovers(store, settings)
    for path in found.paths:
        delete(path)
    with store.transaction() as sql:
        if found.vectors:
            sql.execute(f"DELETE FROM {ORPHAN_VECTORS}")
        if found.tags:
            sql.execute(f"DELETE FROM {ORPHAN_TAGS}")
    store.checkpoint()
    if found:
        log.info("Deleted what a crash left: %d files, %d vectors", len(found.paths), found.vectors)
    return found
