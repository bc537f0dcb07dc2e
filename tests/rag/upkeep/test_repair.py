"""Check and repair: damage is named, nothing else is lost, and the rest is found as before."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from rag.errors import AlreadyAdded, DamagedFile, StoreInUse
from rag.settings import Settings
from rag.upkeep.check import check
from rag.upkeep.repair import repair
from tests.rag.upkeep.folders import execute, fill, flip, found, names, opened


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data folder that is whole, and what is found in it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("whole") / "data")
    fill(settings)
    return settings, found(settings)


@pytest.fixture
def settings(whole, tmp_path):
    shutil.copytree(whole[0].data_dir, tmp_path / "data")
    return Settings(data_dir=tmp_path / "data")


def file_of(settings, name):
    with closing(sqlite3.connect(settings.database)) as sql:
        (document_id,) = sql.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone()
    return settings.files_dir / f"{document_id}.pdf"


def test_a_whole_folder_has_no_problems_closed_or_in_use_and_a_repair_changes_nothing(settings, whole):
    assert check(settings).problems == ()
    with opened(settings):
        assert check(settings).problems == ()
        with pytest.raises(StoreInUse):
            repair(settings)
    assert repair(settings) == []
    assert found(settings) == whole[1]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE pages SET text = replace(text, '1931', '1932') WHERE text LIKE '%1931%'", "1 of its pages"),
        ("UPDATE passages SET text = replace(text, '1931', '1932') WHERE text LIKE '%1931%'", "1 of its passages"),
        ("DELETE FROM passages WHERE text LIKE '%1931%'", "1 of its pages and passages are missing"),
        ("DELETE FROM pages WHERE text LIKE '%1931%'", "1 of its pages and passages are missing"),
        ("UPDATE passages SET heading = '[' WHERE text LIKE '%1931%'", "1 of its passages"),
    ],
)
def test_a_document_with_damaged_text_is_named_and_read_again_from_its_pdf(settings, whole, damage, told):
    execute(settings.database, damage)
    problem = check(settings).problems[0]
    assert problem.startswith("pumps.pdf: ")
    assert told in problem
    assert repair(settings) == ["pumps.pdf: is damaged, and is read again from its PDF at the next start."]
    with opened(settings) as engine:
        assert len(engine.annotations.tags("")) == 3
    assert sorted(map(sorted, found(settings))) == sorted(map(sorted, whole[1]))
    assert check(settings).problems == ()


def test_without_its_pdf_a_damaged_document_loses_only_the_damaged_page(settings):
    execute(settings.database, "UPDATE pages SET text = 'x' WHERE text LIKE '%1931%'")
    flip(file_of(settings, "pumps.pdf"), 100)
    line = repair(settings)[0]
    assert line.startswith("pumps.pdf: 1 of its pages are damaged, its PDF is damaged: the damaged pages are lost.")
    with opened(settings) as engine:
        texts = [source.text for source in engine.search("", "second page of the manual")]
        assert any("Nothing else is written" in text for text in texts)
        assert not any("1931" in source.text for source in engine.search("", "red pump 1931"))
    assert [problem.partition(": ")[2] for problem in check(settings).problems] == ["its PDF is missing"]


@pytest.mark.parametrize("lost", ["deleted", "flipped"])
def test_a_lost_pdf_is_named_its_text_stays_and_adding_it_again_brings_its_pages_back(settings, whole, lost):
    path = file_of(settings, "herons.pdf")
    data = path.read_bytes()
    path.unlink() if lost == "deleted" else flip(path, 50)
    (problem,) = check(settings).problems
    assert problem == f"herons.pdf: its PDF is {'missing' if lost == 'deleted' else 'damaged'}"
    repair(settings)
    assert found(settings) == whole[1]
    with opened(settings) as engine:
        with pytest.raises(DamagedFile, match="no longer in the data folder: add it again"):
            engine.pages.picture("", path.stem, 0, 160)
        with pytest.raises(AlreadyAdded):
            engine.add("", "herons.pdf", data)
        assert engine.pages.picture("", path.stem, 0, 160)
    assert check(settings).problems == ()


def test_a_damaged_vector_is_told_and_made_again(settings, whole):
    execute(settings.database, "UPDATE vectors SET crc = crc + 1 WHERE digest = (SELECT min(digest) FROM vectors)")
    (problem,) = check(settings).problems
    assert "1 of its vectors are damaged or missing" in problem
    assert repair(settings) == ["1 damaged vectors are made again at the next start."]
    assert found(settings) == whole[1]
    assert check(settings).problems == ()


def test_damaged_vectors_of_sentences_are_told_and_dropped(settings, whole):
    execute(
        settings.database,
        "INSERT INTO sentence_vectors SELECT document, number, x'', x'', 1 FROM pages WHERE number = 0 LIMIT 1",
    )
    (problem,) = check(settings).problems
    assert "1 of its vectors are damaged or missing" in problem
    assert repair(settings) == ["1 damaged vectors are made again at the next start."]
    assert check(settings).problems == ()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_page_of_the_database_loses_no_document_whose_pdf_is_there(settings, seed):
    """Whatever page it is, the first one too: the rows that can be read are kept, the documents are read again."""
    size = settings.database.stat().st_size
    page = 0 if seed == 0 else random.Random(seed).randrange(size // 4096)
    flip(settings.database, page * 4096, 4096)
    done = repair(settings)
    assert names(settings) | lost_entries(done) >= {"pumps.pdf", "herons.pdf", "lakes.pdf"}
    with opened(settings):
        pass
    assert check(settings).problems == ()


def lost_entries(done):
    """The names that a repair need not bring back, since their PDFs were put aside and that was said."""
    aside = any("whose entry in the database is lost" in line for line in done)
    return {"pumps.pdf", "herons.pdf", "lakes.pdf"} if aside else set()


def test_a_destroyed_first_page_costs_nothing(settings, whole):
    flip(settings.database, 0, 4096)
    (line,) = repair(settings)
    assert "is rebuilt" in line
    assert "No row was lost" in line
    assert found(settings) == whole[1]


def test_pdfs_of_a_database_that_cannot_be_read_at_all_are_put_aside_not_deleted(settings):
    settings.database.write_bytes(b"nothing" * 5000)
    settings.database.with_suffix(".first-page").unlink()
    done = repair(settings)
    (aside,) = settings.data_dir.glob("damaged-*")
    assert len(list(aside.glob("*.pdf"))) == 3
    assert "3 PDFs whose entry in the database is lost were moved" in done[-1]
    assert check(settings).problems == ()
