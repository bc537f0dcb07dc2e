"""The SQLite file of a data folder: opens it, locks it against other processes, migrates it, and maps its errors.

Deleted content is overwritten on disk (`secure_delete`); `checkpoint` does the same for the write-ahead log.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from rag.errors import StoreDamaged, StoreError, StoreInUse
from rag.store.blobs import replace_file
from rag.store.migrations import migrate
from rag.store.restored import put_in_place

BUSY_SECONDS: Final = 0.2  # to wait for other processes, which only read; meanwhile, all threads wait
READ_ONLY: Final = "mode=ro"  # parameter of `uri_of`
HEADER_BYTES: Final = 100  # in a database's header, changed by every transaction
FIRST_PAGE_SUFFIX: Final = ".first-page"
RETRY_SECONDS: Final = 5.0  # after which to repeat a checkpoint that another process prevented


class Connection:
    """An open database with an up-to-date schema. Threads may share it: each statement runs under a lock."""

    def __init__(self, database: Path) -> None:
        """Raises StoreInUse, StoreDamaged, and StoreError if the file cannot be written or is too new."""
        self.path = database
        database.parent.mkdir(parents=True, exist_ok=True)
        self._lock, self._closed = threading.RLock(), False
        with ExitStack() as opened, _opening_errors_mapped(database):
            opened.callback(lock_folder(database.parent).release)
            put_in_place(database.parent)
            self._sql = sqlite3.connect(database, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
            opened.callback(self._sql.close)
            self._sql.row_factory = sqlite3.Row
            self._open(database)
            self._opened = opened.pop_all()  # closed in `close`, or at once after an exception

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write everything into the main file and release the folder."""
        with self._lock:
            self._closed = True
            self._opened.close()

    def _open(self, database: Path) -> None:
        if self._sql.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("damaged pages")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._sql.execute(f"PRAGMA {pragma}")
        migrate(self._sql, database)
        keep_first_page(self._sql, database)
        self._sql.execute("CREATE TEMP TABLE protected_vectors (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, rolled back on any exception. Raises StoreError if SQLite cannot write."""
        with self._lock, sqlite_errors_mapped():
            try:
                self._sql.execute("BEGIN IMMEDIATE")
                yield self._sql
                self._sql.execute("COMMIT")
            finally:
                if self._sql.in_transaction:  # the COMMIT was not reached, or failed
                    self._sql.execute("ROLLBACK")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, sqlite_errors_mapped():
            return self._sql.execute(query, values).fetchall()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the main file and truncate it, so that no deleted content remains there.

        This is impossible while another process reads, as a backup does; it is repeated until it succeeds.
        """
        with self._lock, sqlite_errors_mapped():
            if self._closed:
                return
            (busy, *_) = self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            retry = threading.Timer(RETRY_SECONDS, self._checkpoint_again)
            retry.daemon = True
            retry.start()

    def _checkpoint_again(self) -> None:
        with suppress(StoreError):
            self.checkpoint()


@contextmanager
def _opening_errors_mapped(database: Path) -> Iterator[None]:
    """Map what SQLite raises while a database is opened to StoreError or StoreDamaged."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreError(
            "{database} cannot be written ({reason}): choose another --data-dir.",
            database=str(database),
            reason=str(exc),
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise StoreDamaged(
            "{database} cannot be read ({reason}): start once with --repair, which saves what can be read, or with "
            "--restore and a backup.",
            database=str(database),
            reason=str(exc),
        ) from exc


@contextmanager
def sqlite_errors_mapped() -> Iterator[None]:
    """Map what SQLite raises: StoreError if the disk is full, read-only or gone, StoreDamaged for damage."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreError(
            "The data folder cannot be used ({reason}): free some space, or choose another with --data-dir.",
            reason=str(exc),
        ) from exc
    except sqlite3.DatabaseError as exc:
        if type(exc) is not sqlite3.DatabaseError:  # a bug in this program
            raise
        raise StoreDamaged(
            "The database is damaged ({reason}): stop the program, and start it once with --repair.",
            reason=str(exc),
        ) from exc


def keep_first_page(sql: sqlite3.Connection, database: Path) -> None:
    """Keep a copy of the first page, which tells where everything else is, so that damage to it can be repaired.

    Without auto-vacuum, the root pages of tables never move, so an old copy is just as good.
    """
    sql.execute("PRAGMA wal_checkpoint(PASSIVE)")
    (size,) = sql.execute("PRAGMA page_size").fetchone()
    with database.open("rb") as file:
        first = file.read(size)
    copy = database.with_suffix(FIRST_PAGE_SUFFIX)
    if copy.exists() and copy.read_bytes()[HEADER_BYTES:] == first[HEADER_BYTES:]:
        return
    replace_file(copy, first)


def is_locked(folder: Path) -> bool:
    """Whether another process is using a data folder."""
    try:
        lock_folder(folder).release()
    except StoreInUse:
        return True
    except StoreError:  # a folder that cannot be written
        return False
    return False


def lock_folder(folder: Path) -> FileLock:
    """Lock the folder for this process; the operating system releases the lock however the process ends.

    The lock belongs to the process, not to the thread that took it. Raises StoreInUse.
    """
    lock = FileLock(folder / "lock", mode=0o600, blocking=False, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as exc:
        raise StoreInUse(
            "Another process uses the data folder {folder}: stop it, or start with another --data-dir.",
            folder=str(folder.resolve()),
        ) from exc
    except OSError as exc:
        raise StoreError(
            "The data folder {folder} cannot be locked ({reason}): choose another --data-dir.",
            folder=str(folder.resolve()),
            reason=exc.strerror or str(exc),
        ) from exc
    return lock


def uri_of(database: Path, parameters: str) -> str:
    """The URI with which SQLite opens a database with parameters (https://www.sqlite.org/uri.html)."""
    return f"{database.resolve().as_uri()}?{parameters}"
