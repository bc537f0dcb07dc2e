"""Nothing that is made from one owner's file serves another: neither its time nor its content can tell of it."""

from __future__ import annotations

from hashlib import sha256

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import JobState
from rag.settings import Settings
from rag.store.blobs import copy_name, unlocked_file
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, add, ask, done
from tests.rag.pdfs import encrypted, text_pdf
from tests.waiting import until


@pytest.fixture
def embedder():
    return ExactEmbedder()


@pytest.fixture
def engine(tmp_path, embedder):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as opened:
        opened.wait()
        yield opened


def test_the_same_file_is_embedded_again_for_each_owner(engine, embedder):
    counts = []
    for owner in ("ann", "ben", "cleo"):
        before = len(embedder.embedded)
        add(engine, ("manual.pdf", FIRST), owner=owner)
        counts.append(len(embedder.embedded) - before)
    assert counts[0] > 0
    assert counts == [counts[0]] * 3


def test_an_owner_who_adds_the_same_text_again_reuses_its_vectors(engine, embedder):
    add(engine, ("manual.pdf", FIRST), owner="ann")
    before = len(embedder.embedded)
    add(engine, ("copy.pdf", FIRST + b"\n"), owner="ann")
    assert len(engine.documents("ann")) == 2
    assert len(embedder.embedded) == before


def test_removing_a_document_leaves_the_vectors_of_another_owner(engine, embedder):
    for owner in ("ann", "ben"):
        add(engine, ("manual.pdf", FIRST), owner=owner)
    engine.remove("ann", engine.documents("ann")[0].id)
    assert ask(engine, "When was the red pump built?", owner="ben")[0].sources
    assert [len(rows) for rows, _ in engine._store.all_passages()] == [len(engine.search("ben", "pump"))]


def test_pages_are_drawn_again_for_each_owner_and_removed_for_each(engine, monkeypatch):
    import rag.pdf.render

    drawn = []
    draw = rag.pdf.render.draw_page
    monkeypatch.setattr(rag.pdf.render, "draw_page", lambda *of: drawn.append(of) or draw(*of))
    for owner in ("ann", "ben"):
        add(engine, ("manual.pdf", FIRST), owner=owner)
    (document,) = engine.documents("ann")
    for owner in ("ann", "ann", "ben", "ben"):
        engine.pages.picture(owner, document.id, 0, 320)
    assert len(drawn) == 2
    engine.remove("ann", document.id)
    assert [folder.name for folder in engine.settings.pictures_dir.iterdir()] == [copy_name("ben", document.id)]
    engine.pages.picture("ben", document.id, 0, 320)
    assert len(drawn) == 2


def test_a_password_opens_a_file_for_the_one_who_gave_it(engine):
    locked = encrypted(text_pdf(["The red pump was built in 1931."]), "sesame")
    document_id = sha256(locked).hexdigest()
    for owner in ("ann", "ben"):
        engine.add(owner, "locked.pdf", locked)
        until(lambda owner=owner: [job.state for job in engine.jobs(owner)] == [JobState.LOCKED])
    engine.unlock("ann", engine.jobs("ann")[0].id, "sesame")
    until(lambda: done(engine, "ann"))
    copies = [unlocked_file(engine.settings.files_dir, owner, document_id) for owner in ("ann", "ben")]
    assert [copy.exists() for copy in copies] == [True, False]
    assert engine.pages.picture("ann", document_id, 0, 320).png
    # Ann removes her document while Ben's file still waits for its password: her copy goes, the file stays for him.
    engine.remove("ann", document_id)
    assert not copies[0].exists()
    engine.unlock("ben", engine.jobs("ben")[0].id, "sesame")
    until(lambda: done(engine, "ben"))
    assert engine.pages.picture("ben", document_id, 0, 320).png
    engine.remove("ben", document_id)
    assert list(engine.settings.files_dir.iterdir()) == []


def test_an_unlocked_copy_that_all_shared_becomes_one_for_each_owner(tmp_path, engine):
    locked = encrypted(text_pdf(["The red pump was built in 1931."]), "sesame")
    document_id = sha256(locked).hexdigest()
    engine.add("ann", "locked.pdf", locked)
    until(lambda: [job.state for job in engine.jobs("ann")] == [JobState.LOCKED])
    engine.unlock("ann", engine.jobs("ann")[0].id, "sesame")
    until(lambda: done(engine, "ann"))
    engine.close()
    files = engine.settings.files_dir
    unlocked_file(files, "ann", document_id).rename(unlocked_file(files, "", document_id))
    with Engine(engine.settings, embedder=ExactEmbedder, reader=QuoteReader()) as again:
        assert again.pages.picture("ann", document_id, 0, 320).png
        assert {file.name for file in files.iterdir()} == {
            f"{document_id}.pdf",
            unlocked_file(files, "ann", document_id).name,
        }
