"""After a kill at any moment the next start deletes what nothing needs, and keeps what something needs."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import JobState
from rag.settings import Settings
from rag.store.database import Store
from rag.store.folder import prepare, readable_for_others
from rag.store.leftovers import find_leftovers
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add
from tests.rag.pdfs import encrypted
from tests.waiting import until

ABSENT = "a" * 64  # of a document that is not there


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


def opened(settings):
    engine = Engine(settings, embedder=ExactEmbedder, reader=QuoteReader())
    engine.wait()
    return engine


def filled(settings):
    """The id of a document in a data folder that is closed again."""
    with opened(settings) as engine:
        add(engine, ("one.pdf", FIRST), ("two.pdf", SECOND))
        return engine.documents("")[0].id


def everything(settings):
    """Names of all files but those of SQLite and the lock."""
    files = (path for path in settings.data_dir.rglob("*") if path.is_file())
    return {path.name for path in files if path.parent != settings.data_dir}


@pytest.mark.parametrize(
    "left",
    [
        f"files/{ABSENT}.pdf",
        f"files/{ABSENT}.open",
        "files/{id}.open.part",
        "files/adding-x.part",
        f"pictures/{ABSENT}/0-640.png",
        "pictures/{id}/tmpx.part",
        "adding-x.part",
    ],
)
def test_files_that_nothing_names_are_deleted_at_the_next_start(settings, left):
    document_id = filled(settings)
    before = everything(settings)
    path = settings.data_dir / left.format(id=document_id)
    if path.name.endswith(".open.part"):  # not a name of ours
        path = path.with_name(f"adding-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"secret")
    opened(settings).close()
    assert not path.exists()
    assert everything(settings) == before


def test_vectors_and_tags_of_nothing_are_deleted_at_the_next_start(settings):
    filled(settings)
    with sqlite3.connect(settings.database) as sql:
        sql.execute("INSERT INTO vectors VALUES (x'00', x'00', 0)")
        sql.execute("INSERT INTO tags VALUES ('', ?, 'secret')", (ABSENT,))
        before = sql.execute("SELECT COUNT(*) FROM vectors").fetchone()[0]
    sql.close()
    with opened(settings) as engine:
        assert engine.annotations.tags("") == {}
    with Store(settings.database) as store:
        assert len(store.rows("SELECT 1 FROM vectors")) == before - 1
        assert not find_leftovers(store, settings)


def test_vectors_of_an_interrupted_job_stay_until_the_queue_is_done_and_then_those_without_use_go(settings):
    filled(settings)
    with Store(settings.database) as store:
        (settings.files_dir / f"{ABSENT}.pdf").write_bytes(FIRST)
        store.add_job("ann", ABSENT, "one.pdf", JobState.WAITING)
        store.add_vectors([b"of an older version"], ExactEmbedder().queries(["x"]))
        assert find_leftovers(store, settings).vectors == 0
    with opened(settings) as engine:
        until(lambda: len(engine.documents("ann")) == 3)
        until(lambda: not engine.jobs("ann"))
    with Store(settings.database) as store:
        assert store.rows("SELECT 1 FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)") == []


def test_a_file_that_failed_or_waits_for_its_password(settings):
    with opened(settings) as engine:
        add(engine, ("locked.pdf", encrypted(FIRST, "secret")), ("bad.pdf", b"%PDF-1.7 no more"))
    locked = next(settings.files_dir.glob("*.pdf"))
    (settings.files_dir / f"{ABSENT}.pdf").write_bytes(b"%PDF-1.7")
    with sqlite3.connect(settings.database) as sql:  # killed before the file of the one that failed was deleted
        sql.execute("UPDATE jobs SET document_id = ? WHERE state = 'failed'", (ABSENT,))
    sql.close()
    locked.with_suffix(".open").write_bytes(FIRST)  # killed while it was unlocked
    with opened(settings) as engine:
        assert everything(settings) == {locked.name}
        assert {job.state for job in engine.jobs("")} == {JobState.LOCKED, JobState.FAILED}


def test_a_removal_that_had_begun_is_completed_and_one_that_was_undone_is_not(settings):
    removed = filled(settings)
    with opened(settings) as engine:
        kept = next(one.id for one in engine.documents("") if one.id != removed)
        engine.removals.begin("", removed)
        engine.removals.begin("", kept)
        engine.removals.undo("")
        engine.removals.begin("", removed)
        engine.removals._hidden.clear()  # as if it were killed now
    with opened(settings) as engine:
        assert [one.id for one in engine.documents("")] == [kept]
        assert everything(settings) == {f"{kept}.pdf"}


def test_a_new_version_and_the_removal_of_the_old_one_are_one_step(settings, monkeypatch):
    old = filled(settings)
    engine = opened(settings)
    engine.annotations.add_tag("", [old], "pumps")
    reached = []
    monkeypatch.setattr(engine, "remove", lambda *key: reached.append(key))  # killed before it is removed
    engine.add("", "new.pdf", FIRST + b"\n% newer", replaces=old)
    until(lambda: reached == [("", old)])
    until(lambda: not engine.jobs(""))
    engine.removals._hidden.clear()
    engine.close()
    with opened(settings) as engine:
        names = {one.name: one.id for one in engine.documents("")}
        assert old not in names.values()
        assert engine.annotations.replaced("") == {old: names["new.pdf"]}
        assert engine.annotations.tags("") == {names["new.pdf"]: ("pumps",)}


def test_the_unlocked_copy_goes_with_its_owners_document_while_somebody_elses_waits_for_the_password(settings):
    file = encrypted(FIRST, "secret")
    with opened(settings) as engine:
        add(engine, ("mine.pdf", file), owner="ann")
        (job,) = engine.jobs("ann")
        engine.unlock("ann", job.id, "secret")
        until(lambda: engine.documents("ann"))
        add(engine, ("theirs.pdf", file), owner="bob")
        assert {path.suffix for path in settings.files_dir.iterdir()} == {".pdf", ".open"}
        engine.remove("ann", job.document_id)
        assert {path.suffix for path in settings.files_dir.iterdir()} == {".pdf"}
        (waiting,) = engine.jobs("bob")
        engine.unlock("bob", waiting.id, "secret")
        until(lambda: engine.documents("bob"))


def test_a_job_that_is_cancelled_while_its_unlocked_copy_is_deleted_leaves_no_file(settings, monkeypatch):
    """A moment that a run of kills found: the job is there when the list is read, and gone when the file is kept."""
    with opened(settings) as engine:
        add(engine, ("locked.pdf", encrypted(FIRST, "secret")))
        (job,) = engine.jobs("")
        store = engine._store
        store.record_orphaned_file(job.document_id)
        orphaned_files = store.orphaned_files

        def read_then_cancel():
            found = orphaned_files()
            monkeypatch.undo()
            store.remove_job(job.id)
            return found

        monkeypatch.setattr(store, "orphaned_files", read_then_cancel)
        engine._files.delete_orphans()
        engine._files.delete_orphans()
        assert everything(settings) == set()


def test_a_damaged_vector_is_made_again(settings):
    filled(settings)
    with sqlite3.connect(settings.database) as sql:
        (before,) = sql.execute("SELECT group_concat(hex(vector)) FROM vectors").fetchone()
        sql.execute("UPDATE vectors SET vector = CAST(x'0000003f' || substr(vector, 5) AS BLOB)")
    sql.close()
    opened(settings).close()
    with sqlite3.connect(settings.database) as sql:
        assert sql.execute("SELECT group_concat(hex(vector)) FROM vectors").fetchone() == (before,)
    sql.close()


def test_only_this_user_may_read_the_data_whatever_was_there_before_and_whatever_the_umask(settings):
    settings.data_dir.mkdir(mode=0o755)
    (settings.data_dir / "server.json").write_text("{}")
    (settings.data_dir / "other.txt").write_text("not ours")
    settings.database.touch()
    settings.data_dir.chmod(0o755)
    settings.database.chmod(0o644)
    before = os.umask(0)
    try:
        document_id = filled(settings)
        with opened(settings) as engine:
            engine.pages.picture("", document_id, 0, 640)
            assert readable_for_others(settings.data_dir) == []
            assert modes(settings.data_dir) == {0o700, 0o600}
    finally:
        os.umask(before)


def modes(data: Path) -> set[int]:
    paths = [data, *(path for path in data.rglob("*") if path.name != "other.txt")]
    return {stat.S_IMODE(path.stat().st_mode) for path in paths}


def test_a_folder_of_somebody_else_is_used_and_the_log_says_who_may_read_it(settings, monkeypatch, caplog):
    def refused(*_args, **_more):
        raise PermissionError(1, "Operation not permitted")

    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refused)
    prepare(settings)
    assert "cannot be made private (Operation not permitted): other users of this machine may read it" in caplog.text
