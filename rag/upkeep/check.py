"""`--check`: reads everything in a data folder and reports what is damaged or left behind. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.errors import StoreDamaged
from rag.settings import Settings
from rag.store.folder import readable_for_others
from rag.store.leftovers import Rows, find_leftovers
from rag.store.schema import FORMAT
from rag.upkeep.documents import damaged_documents
from rag.upkeep.reading import ReadOnlyDatabase

IN_PROGRESS_SECONDS: Final = 600  # while the program runs, a newer file that nothing names yet is not a leftover
SHOWN_PATHS: Final = 20
JSON_COLUMNS: Final = (
    ("documents", "kinds"), ("documents", "outline"), ("documents", "notes"), ("conversations", "data"),
    ("exchanges", "data"), ("introductions", "data"), ("preferences", "data"), ("runs", "about"), ("runs", "results"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    counted: str  # what there is, in one line
    problems: tuple[str, ...]  # one line each

    def __str__(self) -> str:
        """Lines for a person."""
        if not self.problems:
            return f"{self.counted}\nEverything is whole, and nothing is left behind."
        return "\n".join((self.counted, *self.problems, "Stop the program and start it once with --repair."))


def check(settings: Settings) -> Report:
    """Check a data folder, also while the program runs. Raises StoreError if there is no database."""
    with ReadOnlyDatabase(settings.database) as database:
        try:
            problems = list(structure_problems(database))
            counted = f"{settings.database}:" if problems else _counted(database)
            if not problems:
                problems += _content_problems(database, settings)
        except StoreDamaged as exc:
            problems, counted = [str(exc)], f"{settings.database}:"
        readable = readable_for_others(settings.data_dir)
        problems += [f"{path}: other users of this machine may read it" for path in _shown(readable)]
        return Report(counted, tuple(problems))


def structure_problems(database: Rows) -> Iterator[str]:
    """What SQLite finds wrong with the database, at most one line."""
    (version,) = database.rows("PRAGMA user_version")[0]
    if version != FORMAT:
        yield f"The database has format {version}, this version of the program writes {FORMAT}: start it once."
        return
    try:
        found = [row[0] for row in database.rows("PRAGMA integrity_check(10)")]
    except StoreDamaged as exc:
        yield str(exc)
        return
    if found != ["ok"]:
        yield f"The database is damaged: {found[0]}"
    elif broken := database.rows("PRAGMA foreign_key_check"):
        yield f"The database has {len(broken)} rows that belong to no document or conversation."


def _content_problems(database: ReadOnlyDatabase, settings: Settings) -> Iterator[str]:
    yield from map(str, damaged_documents(database, settings))
    for table, column in JSON_COLUMNS:
        (broken,) = database.rows(f"SELECT COUNT(*) FROM {table} WHERE NOT json_valid({column})")[0]
        if broken:
            yield f"{broken} rows of {table} are damaged."
    left = find_leftovers(database, settings)
    paths = [path for path in left.paths if not (database.in_use and _is_recent(path))]
    yield from (f"{path}: left behind, no document needs it" for path in _shown(paths))
    yield from (f"{path}: belongs to no document; add it again, or delete it" for path in _shown(left.unclaimed))
    if not database.in_use and (left.vectors or left.tags):
        yield f"{left.vectors} vectors and {left.tags} tags are left behind, no document needs them."


def _is_recent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < IN_PROGRESS_SECONDS
    except FileNotFoundError:  # deleted in the meantime
        return True


def _shown(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths)[:SHOWN_PATHS]


def _counted(database: Rows) -> str:
    def count(table: str) -> int:
        return int(database.rows(f"SELECT COUNT(*) FROM {table}")[0][0])

    return (
        f"{count('documents'):,} documents, {count('pages'):,} pages, {count('passages'):,} passages, "
        f"{count('conversations'):,} conversations"
    )
