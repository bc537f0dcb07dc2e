"""Backups are of one moment, also while the program runs; nothing comes out of an archive but a whole library."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from rag.errors import StoreError, StoreInUse
from rag.settings import Settings
from rag.store.restored import COMPLETE, RESTORING
from rag.upkeep import backup, restore
from rag.upkeep.backup import back_up
from rag.upkeep.check import check
from rag.upkeep.restore import restore as restore_backup
from tests.rag.engines import FIRST
from tests.rag.pdfs import text_pdf
from tests.rag.upkeep.folders import fill, found, names, opened


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    settings = Settings(data_dir=folder / "data")
    fill(settings)
    back_up(settings, folder / "backup.zip")
    return settings, folder / "backup.zip"


def test_a_restored_backup_is_the_library_that_it_was_made_of(whole, tmp_path):
    settings, file = whole
    restored = Settings(data_dir=tmp_path / "new" / "data")
    assert restore_backup(restored, file, overwrite=False) == f"3 documents are restored from {file}."
    assert check(restored).problems == ()
    assert found(restored) == found(settings)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_library_is_restored_into_a_folder_named_from_where_one_stands(whole, tmp_path, monkeypatch):
    settings, file = whole
    monkeypatch.chdir(tmp_path)
    restored = Settings(data_dir=Path("new"))
    assert restore_backup(restored, file, overwrite=False) == f"3 documents are restored from {file}."
    assert found(restored) == found(settings)


def test_a_backup_of_a_running_program_has_every_document_whole_or_not_at_all(tmp_path):
    settings, stop = Settings(data_dir=tmp_path / "data"), threading.Event()
    fill(settings)

    def change(engine):
        number = 0
        while not stop.is_set():
            number += 1
            job = engine.add("", f"{number}.pdf", text_pdf([f"Ship number {number} carries salt."]))
            while engine.jobs(""):
                stop.wait(0.005)
            engine.remove("", job.document_id)

    with opened(settings) as engine:
        changing = threading.Thread(target=change, args=(engine,))
        changing.start()
        try:
            for number in range(8):
                back_up(settings, tmp_path / f"{number}.zip")
        finally:
            stop.set()
            changing.join()
    for number in range(8):
        restored = Settings(data_dir=tmp_path / f"restored {number}")
        restore_backup(restored, tmp_path / f"{number}.zip", overwrite=False)
        assert names(restored) >= {"pumps.pdf", "herons.pdf", "lakes.pdf"}
        assert check(restored).problems == ()


def test_a_document_removed_while_the_backup_is_written_is_not_in_it(whole, tmp_path, monkeypatch):
    settings = Settings(data_dir=tmp_path / "data")
    fill(settings)
    copy_database = backup._copy_database
    with opened(settings) as engine:
        (removed,) = [one.id for one in engine.documents("") if one.name == "pumps.pdf"]

        def copy_then_remove(*given):
            copy_database(*given)
            engine.remove("", removed)

        monkeypatch.setattr(backup, "_copy_database", copy_then_remove)
        assert back_up(settings, tmp_path / "backup.zip").missing == ()
    restored = Settings(data_dir=tmp_path / "restored")
    restore_backup(restored, tmp_path / "backup.zip", overwrite=False)
    assert names(restored) == {"herons.pdf", "lakes.pdf"}
    assert check(restored).problems == ()


def test_nothing_is_overwritten_unless_it_is_asked_for(whole, tmp_path):
    settings, file = whole
    with pytest.raises(StoreError, match="exists already"):
        back_up(settings, file)
    mine = Settings(data_dir=tmp_path / "data")
    with opened(mine) as engine:
        engine.add("", "own.pdf", text_pdf(["My own."]))
        with pytest.raises(StoreInUse):
            restore_backup(mine, file, overwrite=True)
    with pytest.raises(StoreError, match="--overwrite"):
        restore_backup(mine, file, overwrite=False)
    assert names(mine) == {"own.pdf"}
    restore_backup(mine, file, overwrite=True)
    assert names(mine) == {"pumps.pdf", "herons.pdf", "lakes.pdf"}
    assert check(mine).problems == ()


def archive(path, changes, *, manifest=None):
    """A backup with a database of nothing, and members of our own."""
    database = path.with_suffix(".sqlite")
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute("CREATE TABLE documents (id TEXT)")
        sql.execute("PRAGMA user_version=1")
    members = {"library.sqlite": database.read_bytes(), **changes}
    files = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
        file.writestr("manifest.json", json.dumps({"format": 1, "files": files | (manifest or {})}))
    return path


def with_trigger():
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute("CREATE TABLE documents (id TEXT)")
        sql.execute("CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents; END")
        sql.execute("PRAGMA user_version=1")
        return sql.serialize()


ID = "a" * 64


@pytest.mark.parametrize(
    ("changes", "manifest", "why"),
    [
        ({"../evil.pdf": b"x"}, None, "not those of a backup"),
        ({"/tmp/evil.pdf": b"x"}, None, "not those of a backup"),
        ({f"files/{ID}.exe": b"x"}, None, "not those of a backup"),
        ({f"files/{ID}.pdf\n": b"x"}, None, "not those of a backup"),
        ({f"files/{ID}.pdf": b"x"}, {f"files/{ID}.pdf": {"bytes": 1, "sha256": "0"}}, "is damaged"),
        ({f"files/{ID}.pdf": b"x" * 10**7}, {f"files/{ID}.pdf": {"bytes": 9, "sha256": "0"}}, "larger than it says"),
        ({f"files/{ID}.pdf": b"x"}, {f"files/{ID}.pdf": {"bytes": 10**18, "sha256": "0"}}, "more than the disk"),
        ({}, {f"files/{ID}.pdf": {"bytes": 1, "sha256": "0"}}, "not those of a backup"),
        ({"library.sqlite": b"no database" * 1000}, None, "database is damaged"),
        ({"library.sqlite": with_trigger()}, None, "more than tables"),
        ({}, {"library.sqlite": "x"}, "is not restored"),
    ],
)
def test_what_is_no_backup_changes_nothing(tmp_path, changes, manifest, why):
    settings = Settings(data_dir=tmp_path / "data")
    fill(settings)
    before = names(settings)
    with pytest.raises(StoreError, match=why):
        restore_backup(settings, archive(tmp_path / "x.zip", changes, manifest=manifest), overwrite=True)
    assert names(settings) == before
    assert not (tmp_path / "evil.pdf").exists()
    assert check(settings).problems == ()


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(FIRST)
    with pytest.raises(StoreError, match="is not restored"):
        restore_backup(Settings(data_dir=tmp_path / "data"), tmp_path / "x.zip", overwrite=False)


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_restore_that_was_interrupted_is_completed_at_the_next_start(whole, tmp_path, moved, monkeypatch):
    settings, steps = Settings(data_dir=tmp_path / "data"), []
    with opened(settings) as engine:
        engine.add("", "own.pdf", text_pdf(["My own."]))
    from rag.store import restored

    def killed(*given):
        steps.append(given)
        if len(steps) > moved:
            raise KeyboardInterrupt
        return delete(*given)

    delete = restored.delete
    monkeypatch.setattr(restored, "delete", killed)
    monkeypatch.setattr(restore, "delete", lambda path: None)
    with pytest.raises(KeyboardInterrupt):
        restore_backup(settings, whole[1], overwrite=True)
    monkeypatch.undo()
    assert (settings.data_dir / RESTORING / COMPLETE).exists()
    assert names(settings) == {"pumps.pdf", "herons.pdf", "lakes.pdf"}
    assert check(settings).problems == ()
