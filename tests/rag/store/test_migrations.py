"""Databases of every earlier format, as the versions of that time wrote them (see tests/data/stores)."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import EmbedderMismatch, StoreError
from rag.records import OCR_ROOM, JobState, text_digest
from rag.settings import Settings
from rag.store import migrations
from rag.store.database import Store
from rag.store.scans import StoredScans
from tests.data.stores.make import WordEmbedder

DUMPS = sorted((Path(__file__).parents[2] / "data" / "stores").glob("*.sql"))
EVALUATED = [dump for dump in DUMPS if 'INTO "runs"' in dump.read_text("utf-8")]
every_format = pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)


def restored(dump: Path, database: Path) -> Path:
    database.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(database) as sql:
        sql.executescript(dump.read_text("utf-8"))
    sql.close()
    return database


def content(database: Path) -> tuple[int, list[str]]:
    with sqlite3.connect(database) as sql:
        found = sql.execute("PRAGMA user_version").fetchone()[0], list(sql.iterdump())
    sql.close()
    return found


def columns(database: Path) -> dict[str, set[tuple]]:
    """Name, type, NOT NULL and place in the primary key of every table's columns, and the names of the indexes."""
    with sqlite3.connect(database) as sql:
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {
            table: {(name, kind, required, key) for _, name, kind, required, _, key in rows}
            for table in tables
            for rows in [sql.execute(f"PRAGMA table_info({table})").fetchall()]
        }
        found["indexes"] = set(sql.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'"))
        found["references"] = {
            (table, row[2], row[3], row[6])
            for table in tables
            for row in sql.execute(f"PRAGMA foreign_key_list({table})")
        }
    sql.close()
    return found


@every_format
def test_everything_in_it_is_still_there(dump, tmp_path):
    with Store(restored(dump, tmp_path / "library.sqlite")) as store:
        manual, herons = store.documents()
        assert (manual.name, manual.title, manual.pages, manual.passages) == ("manual.pdf", "Manual of pumps", 4, 3)
        assert manual.kinds == {"text": 3, "scanned": 1}
        assert [str(note) for note in manual.notes] == [
            "1 of 4 pages is scanned without text and cannot be searched before OCR: 4."
        ]
        assert (herons.owner, herons.pages, herons.kinds) == ("ann", 1, {"text": 1})
        texts = [page.text for page in store.pages("", manual.id)]
        assert texts[0].startswith("Pumps\nThe red pump")
        assert [store.page_start("", manual.id, n) for n in range(4)] == [sum(map(len, texts[:n])) for n in range(4)]
        (scan,) = StoredScans(store).all()
        assert (scan.document_id, scan.waiting) == (manual.id, ((3, "4", "scanned"),))
        assert store.page_text("", manual.id, 2) == (sum(map(len, texts[:2])), texts[2])
        page = store.pages("", manual.id, 3, 3)[0]
        assert (page.label, page.kind, len(store.pages("", manual.id)[0].words)) == ("4", "scanned", 16)
        assert str(page.note).startswith("This page is a ")
        passages = store.passages([1, 2, 3, 4])
        assert [passages[n].passage.heading for n in (1, 2, 3, 4)] == [("Pumps",), ("Valves",), ("Valves",), ()]
        failed, waiting = store.jobs()
        assert (failed.name, failed.owner, failed.state) == ("scan.pdf", "ann", JobState.FAILED)
        assert re.match(r"scan\.pdf: [iI]t has no text that can be searched \(", str(failed.message))
        assert (waiting.name, waiting.state, waiting.message) == ("waiting.pdf", JobState.WAITING, None)
        details = store.document_details("ann", manual.id)
        assert (details.author, details.created) == ("ACME", "2000-01-01")
        assert [(entry.title, entry.level, entry.page) for entry in details.outline] == [
            ("Pumps", 1, 0),
            ("Valves", 1, 1),
        ]
        assert [(label, str(note)) for label, note in details.page_notes] == [("4", str(page.note))]
        store.require_embedder(WordEmbedder())


@every_format
def test_vectors_stay_unless_their_text_is_embedded_differently_now(dump, tmp_path):
    with Store(restored(dump, tmp_path / "library.sqlite")) as store:
        stored = store.passages([1, 2, 3, 4]).values()
        missing = store.without_vector([text_digest(kept.passage.searchable, kept.owner) for kept in stored])
        changed = {text_digest("Valves\nThey were painted by hand in 1962.\n")}
        assert missing == (changed if int(dump.stem.split("-")[1]) <= 2 else set())
        assert store.texts_without_vector(9) == dict.fromkeys(missing, "Valves\nThey were painted by hand in 1962.\n")
        assert len(store.rows("SELECT 1 FROM vectors")) == 4 - len(missing)


@every_format
def test_another_embedder_is_refused_with_the_option_that_gives_the_first_one_again(dump, tmp_path):
    other = WordEmbedder()
    other.name = "other"
    option = "words-option" if '"option"' in dump.read_text("utf-8") else "words"  # older versions kept its name alone
    refusal = pytest.raises(EmbedderMismatch, match=f"made by words .*not by other: start with --embedder {option},")
    with Store(restored(dump, tmp_path / "library.sqlite")) as store, refusal:
        store.require_embedder(other)


@pytest.mark.parametrize(
    "dump", [dump for dump in DUMPS if "doomed" in dump.read_text("utf-8")], ids=lambda dump: dump.stem
)
def test_files_that_were_still_to_be_deleted_are_not_forgotten(dump, tmp_path):
    database = restored(dump, tmp_path / "library.sqlite")
    with sqlite3.connect(database) as sql:
        sql.execute("INSERT INTO doomed VALUES (?)", ("f" * 64,))
    sql.close()
    with Store(database) as store:
        assert store.orphaned_files() == [("f" * 64, False)]


@every_format
def test_its_passages_are_found(dump, tmp_path):
    settings = Settings(data_dir=tmp_path)
    restored(dump, settings.database)
    with Engine(settings, embedder=WordEmbedder, reader=QuoteReader()) as engine:
        assert engine.search("", "When were the valves painted by hand?")[0].text.endswith("by hand in 1962.\n")
        found = engine.search("ann", "Where do herons nest?")[0]
        assert (found.document, found.page_label) == ("herons.pdf", "1")


@pytest.mark.parametrize("dump", EVALUATED, ids=lambda dump: dump.stem)
def test_questions_and_runs_are_still_there(dump, tmp_path):
    settings = Settings(data_dir=tmp_path)
    restored(dump, settings.database)
    with Engine(settings, embedder=WordEmbedder, reader=QuoteReader()) as engine:
        (question,) = engine.evaluations.saved("ann")
        assert (question.text, [page.page for page in question.pages]) == ("Where do herons nest?", [0])
        (run,) = engine.evaluations.runs("ann")
        assert (run.results[question.id].rank, run.documents) == (1, 2)


@every_format
def test_opening_it_again_changes_nothing(dump, tmp_path):
    database = restored(dump, tmp_path / "library.sqlite")
    Store(database).close()
    once = content(database)
    Store(database).close()
    assert content(database) == once
    assert once[0] == migrations.FORMAT


@every_format
def test_its_tables_become_those_of_a_new_database(dump, tmp_path):
    Store(tmp_path / "new" / "library.sqlite").close()
    Store(restored(dump, tmp_path / "library.sqlite")).close()
    assert columns(tmp_path / "library.sqlite") == columns(tmp_path / "new" / "library.sqlite")


@every_format
def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(dump, tmp_path, monkeypatch):
    database = restored(dump, tmp_path / "library.sqlite")
    complete = dict(migrations.MIGRATIONS)

    def failing(number):
        def migration(sql):
            complete[number](sql)
            raise sqlite3.OperationalError("database or disk is full")

        return migration

    for number in range(content(database)[0] + 1, migrations.FORMAT + 1):
        with monkeypatch.context() as patch:
            for later in range(number, migrations.FORMAT + 1):
                patch.setitem(migrations.MIGRATIONS, later, failing(later))
            before = content(database)
            with pytest.raises(StoreError, match="disk is full"):
                Store(database)
            assert content(database) == before
            patch.setitem(migrations.MIGRATIONS, number, complete[number])
            if number < migrations.FORMAT:
                with pytest.raises(StoreError, match="disk is full"):
                    Store(database)
                assert content(database)[0] == number
    Store(database).close()
    assert content(database)[0] == migrations.FORMAT


@every_format
def test_a_dump_that_lost_its_format_number_is_recognised(dump, tmp_path):
    database = restored(dump, tmp_path / "library.sqlite")
    with sqlite3.connect(database) as sql:
        sql.execute("PRAGMA user_version=0")
    sql.close()
    with Store(database) as store:
        assert len(store.documents()) == 2
        assert store.page_start("", store.documents("")[0].id, 1) > 0
    with sqlite3.connect(database) as sql:
        sql.execute("PRAGMA user_version=0")
    sql.close()
    once = content(database)[1]
    Store(database).close()
    assert content(database) == (migrations.FORMAT, once)


def test_a_removed_document_takes_its_pages_along_after_a_migration(tmp_path):
    with Store(restored(DUMPS[0], tmp_path / "library.sqlite")) as store:
        manual = store.documents("")[0]
        assert store.remove_document("", manual.id) == [1, 2, 3]
        assert store.rows("SELECT * FROM pages WHERE text LIKE '%pump%'") == []
        assert store.orphaned_files() == [(manual.id, False)]
        assert store.rows("PRAGMA foreign_key_check") == []


def test_a_newer_format_is_refused_and_left_alone(tmp_path):
    database = tmp_path / "library.sqlite"
    Store(database).close()
    with sqlite3.connect(database) as sql:
        sql.execute("PRAGMA user_version=99")
    sql.close()
    before = content(database)
    with pytest.raises(StoreError, match=r"newer version .*format 99.*update the program"):
        Store(database)
    assert content(database) == before
    Store(tmp_path / "other" / "library.sqlite").close()


def test_every_format_that_landed_has_a_dump():
    formats = {int(dump.stem.split("-")[1]) for dump in DUMPS}
    assert formats == set(range(1, migrations.FORMAT))
    assert set(migrations.MIGRATIONS) == set(range(2, migrations.FORMAT + 1))


def test_what_comes_after_a_scanned_page_moves_to_make_room_for_it(tmp_path):
    database = restored(next(dump for dump in DUMPS if dump.stem == "format-6"), tmp_path / "library.sqlite")
    with sqlite3.connect(database) as sql:
        sql.execute("UPDATE pages SET kind = 'garbled', text = '' WHERE document = 1 AND number = 0")
        sql.execute("DELETE FROM passages WHERE document = 1 AND first_page = 0")
        before = sql.execute("SELECT start FROM pages WHERE document = 1 ORDER BY number").fetchall()
        passages = sql.execute("SELECT start, stop FROM passages WHERE document = 1 ORDER BY start").fetchall()
    sql.close()
    with Store(database) as store:
        (scan,) = StoredScans(store).all()
        assert [number for number, _, _ in scan.waiting] == [0, 3]
        assert scan.places == (0, *(start + OCR_ROOM for (start,) in before[1:]))
        moved = [(kept.passage.start, kept.passage.end) for kept in store.document_passages("", scan.document_id)]
        assert moved == [(start + OCR_ROOM, stop + OCR_ROOM) for start, stop in passages]
