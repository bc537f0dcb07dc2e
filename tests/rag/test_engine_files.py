"""The whole pipeline with real PDFs: adding and removing files, passwords, restarts."""

from __future__ import annotations

import io
import threading

import pytest
from pypdf import PdfWriter

from rag.errors import (
    AlreadyAdded,
    FileRefused,
    LimitExceeded,
    NotAPdf,
    StoreError,
)
from rag.ingest import jobs as queue
from rag.records import AnswerState, JobState
from rag.settings import Limits
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add, ask, done
from tests.rag.pdfs import encrypted, scanned_pdf, text_pdf
from tests.waiting import until


def test_removal_is_at_once_and_everywhere(make, tmp_path):
    engine = make()
    add(engine, ("manual.pdf", FIRST), ("合同.pdf", SECOND))
    found, _, _ = ask(engine, "When was the red pump built?")
    engine.view("", found.sources[0])
    engine.remove("", found.sources[0].document_id)
    assert [document.name for document in engine.documents("")] == ["合同.pdf"]
    after, _, answer = ask(engine, "When was the red pump built?")
    assert answer.state is AnswerState.NONE
    assert all(source.document == "合同.pdf" for source in after.sources)
    with pytest.raises(FileRefused, match="no longer"):
        engine.view("", found.sources[0])
    left = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert not any(found.sources[0].document_id in str(file) for file in left)
    assert not any(b"1931" in file.read_bytes() for file in left)


def test_the_same_bytes_twice_are_one_document(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    with pytest.raises(AlreadyAdded, match=r"copy\.pdf: .*already"):
        engine.add("", "copy.pdf", FIRST)
    assert len(engine.documents("")) == 1


def test_two_files_of_the_same_name_are_two_documents(make):
    engine = make()
    add(engine, ("report.pdf", FIRST), ("report.pdf", SECOND))
    assert [document.name for document in engine.documents("")] == ["report.pdf", "report.pdf"]


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.pdf",
        "../../etc/passwd",
        "a\"b'c.pdf",
        "📄" * 80 + ".pdf",
        "n" * 300,
        "a\x00b\n.pdf",
    ],
)
def test_names_are_shown_as_given_and_are_never_paths(make, tmp_path, name):
    engine = make()
    add(engine, (name, FIRST))
    assert [document.name for document in engine.documents("")] == [name]
    (file,) = (tmp_path / "data" / "files").iterdir()
    assert len(file.stem) == 64


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        pytest.param(b"", NotAPdf, "x.pdf: the file is empty", id="empty"),
        pytest.param(b"hello", NotAPdf, "x.pdf: this is not a PDF", id="no PDF"),
        pytest.param(FIRST + b" " * 100_000, LimitExceeded, r"x.pdf: the file is 0\.1 MB, the limit", id="too large"),
    ],
)
def test_files_that_are_obviously_wrong_are_refused_at_once(make, tmp_path, data, error, sentence):
    engine = make(limits=Limits(file_bytes=90_000))
    with pytest.raises(error, match=sentence):
        engine.add("", "x.pdf", data)
    assert engine.jobs("") == ()
    assert list((tmp_path / "data" / "files").iterdir()) == []


def test_a_file_that_fails_leaves_nothing_and_the_others_go_on(make, tmp_path):
    engine = make()
    add(engine, ("cut.pdf", FIRST[:300]), ("scan.pdf", scanned_pdf(2)), ("good.pdf", SECOND))
    assert [document.name for document in engine.documents("")] == ["good.pdf"]
    failed = {job.name: job for job in engine.jobs("")}
    assert set(failed) == {"cut.pdf", "scan.pdf"}
    assert all(job.state == JobState.FAILED and str(job.message).startswith(f"{job.name}: ") for job in failed.values())
    assert len(list((tmp_path / "data" / "files").iterdir())) == 1
    for job in failed.values():
        engine.cancel("", job.id)
    assert engine.jobs("") == ()
    assert len(list((tmp_path / "data" / "files").iterdir())) == 1


def test_a_file_tried_again_takes_the_place_of_its_failure(make):
    engine = make()
    broken = FIRST[:200]
    add(engine, ("broken.pdf", broken))
    add(engine, ("broken.pdf", broken))
    assert [job.state for job in engine.jobs("")] == [JobState.FAILED]


def test_a_locked_file_waits_for_its_password(make):
    engine = make()
    add(engine, ("secret.pdf", encrypted(FIRST, "letmein")))
    (job,) = engine.jobs("")
    assert job.state == JobState.LOCKED
    engine.unlock("", job.id, "wrong")
    until(lambda: engine.jobs("")[0].state == JobState.LOCKED and "password" in str(engine.jobs("")[0].message))
    engine.unlock("", job.id, "letmein")
    until(lambda: not engine.jobs(""))
    found, _, _ = ask(engine, "When was the red pump built?")
    assert engine.pages.picture("", found.sources[0].document_id, 0, 100).png.startswith(b"\x89PNG")


def test_a_password_is_written_nowhere(make, tmp_path):
    engine = make()
    add(engine, ("secret.pdf", encrypted(FIRST, "letmein-7731")))
    engine.unlock("", engine.jobs("")[0].id, "letmein-7731")
    until(lambda: not engine.jobs(""))
    assert not any(b"letmein-7731" in file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())


def test_a_file_cancelled_while_it_is_unlocked_leaves_no_copy(make, tmp_path, monkeypatch):
    unlocking, cancelled, written = threading.Event(), threading.Event(), threading.Event()
    unlock, replace_file = queue.unlock, queue.replace_file

    def slow_unlock(*given):
        copy = unlock(*given)
        unlocking.set()
        assert cancelled.wait(10)
        return copy

    def noticed_replace_file(*given):
        replace_file(*given)
        written.set()

    monkeypatch.setattr(queue, "unlock", slow_unlock)
    monkeypatch.setattr(queue, "replace_file", noticed_replace_file)
    engine = make()
    add(engine, ("secret.pdf", encrypted(FIRST, "letmein")))
    job = engine.jobs("")[0].id
    engine.unlock("", job, "letmein")
    assert unlocking.wait(10)
    engine.cancel("", job)
    cancelled.set()
    assert written.wait(10)
    until(lambda: list((tmp_path / "data" / "files").iterdir()) == [])


def test_an_interrupted_job_goes_on_after_a_restart(make):
    embedder = ExactEmbedder()
    engine = make(embedder=embedder)
    engine.wait()
    embedder.gate.clear()
    engine.add("", "manual.pdf", FIRST)
    until(lambda: engine.jobs("")[0].state == JobState.EMBEDDING)
    threading.Timer(0.2, embedder.gate.set).start()
    engine.close()
    again = make()
    until(lambda: not again.jobs(""))
    assert len(again.documents("")) == 1
    assert ask(again, "When was the red pump built?")[2].sentences


def test_documents_survive_a_restart_without_being_embedded_again(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    before = ask(engine, "When was the red pump built?")[0].sources
    engine.close()
    embedder = ExactEmbedder()
    again = make(embedder=embedder)
    again.wait()
    assert not any("Gdansk" in text for text in embedder.embedded)
    assert ask(again, "When was the red pump built?")[0].sources == before


def test_a_job_can_be_cancelled_while_it_is_embedded(make, tmp_path):
    embedder = ExactEmbedder()
    engine = make(embedder=embedder)
    engine.wait()
    embedder.gate.clear()
    job = engine.add("", "manual.pdf", FIRST)
    until(lambda: engine.jobs("")[0].state == JobState.EMBEDDING)
    engine.cancel("", job.id)
    embedder.gate.set()
    add(engine, ("other.pdf", SECOND))
    assert [document.name for document in engine.documents("")] == ["other.pdf"]
    assert len(list((tmp_path / "data" / "files").iterdir())) == 1


@pytest.mark.parametrize("document_id", ["../../precious", "/tmp/precious", "a" * 63, "\ud800", "A" * 64])
def test_only_documents_can_be_removed(make, tmp_path, document_id):
    precious = tmp_path / "precious.pdf"
    precious.write_bytes(b"x")
    engine = make()
    engine.wait()
    for owner in ("", "ann"):
        engine.remove(owner, document_id.encode("utf-8", "replace").decode())
    assert precious.exists()


def test_unknown_files_in_the_folder_stay(make, tmp_path):
    folder = tmp_path / "data" / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "my thesis.pdf").write_bytes(b"x")
    (folder / "adding-half.part").write_bytes(b"x")
    make().wait()
    assert sorted(file.name for file in folder.iterdir()) == ["my thesis.pdf", "sub"]


def test_files_survive_a_lost_database(make, tmp_path):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    engine.close()
    for file in (tmp_path / "data").glob("library.sqlite*"):
        file.unlink()
    again = make()
    again.wait()
    assert len(list((tmp_path / "data" / "files").glob("*.pdf"))) == 1
    add(again, ("manual.pdf", FIRST))
    assert len(again.documents("")) == 1


def test_a_full_disk_fails_one_file_and_the_queue_goes_on(make, monkeypatch):
    engine = make()
    engine.wait()
    full = StoreError("The data folder cannot be used (database or disk is full): free some space.")

    def refuse(*_):
        raise full

    with monkeypatch.context() as patch:
        for name in ("add_vectors", "set_job", "delete_orphan_vectors", "checkpoint"):
            patch.setattr(engine._store, name, refuse)
        engine.add("", "first.pdf", FIRST)
        until(lambda: engine.jobs("")[0].state == JobState.FAILED)
        assert "disk is full" in str(engine.jobs("")[0].message)
    add(engine, ("second.pdf", SECOND))
    assert [document.name for document in engine.documents("")] == ["second.pdf"]


def test_a_protected_file_of_two_owners_opens_for_each_with_the_password_alone(make):
    engine = make()
    locked = encrypted(FIRST, "letmein")
    add(engine, ("secret.pdf", locked), owner="ann")
    add(engine, ("secret.pdf", locked), owner="ben")
    jobs = {job.owner: job for owner in ("ann", "ben") for job in engine.jobs(owner)}
    engine.unlock("ben", jobs["ann"].id, "letmein")  # not his job
    engine.unlock("ann", jobs["ann"].id, "letmein")
    until(lambda: not engine.jobs("ann"))
    engine.unlock("ben", jobs["ben"].id, "completely wrong")
    until(lambda: "does not open" in str(engine.jobs("ben")[0].message))
    assert engine.documents("ben") == ()
    mine, _, _ = ask(engine, "When was the red pump built?", owner="ann")
    engine.cancel("ann", jobs["ben"].id)  # not her job
    assert engine.jobs("ben")
    engine.cancel("ben", jobs["ben"].id)
    assert engine.pages.picture("ann", mine.sources[0].document_id, 0, 100).png


def test_the_queue_is_limited(make):
    engine = make(limits=Limits(queued_files=1))
    add(engine, ("cut.pdf", FIRST[:300]))
    with pytest.raises(LimitExceeded, match=r"1 of your files .* the limit is 1: .* dismiss .* --max-waiting"):
        engine.add("", "good.pdf", SECOND)


def test_shared_files_that_wait_are_nobodys_share_of_the_queue(make):
    engine = make(limits=Limits(queued_files=1))
    add(engine, ("cut.pdf", FIRST[:300]))
    add(engine, ("good.pdf", SECOND), owner="ann")
    assert [document.name for document in engine.documents("ann")] == ["good.pdf"]


def test_a_person_may_fill_their_own_disk_space_and_nobody_elses(make):
    engine = make(limits=Limits(owner_bytes=len(FIRST) + len(SECOND) - 1))
    add(engine, ("manual.pdf", FIRST), owner="ann")
    told = r"it has 0\.0 MB, and your documents already take 0\.0 of 0\.0 MB: remove some, .* --quota-mb"
    with pytest.raises(LimitExceeded, match=told):
        engine.add("ann", "合同.pdf", SECOND)
    assert engine.jobs("ann") == ()
    add(engine, ("合同.pdf", SECOND), owner="ben")
    engine.add("ann", "new.pdf", SECOND, engine.documents("ann")[0].id)  # in place of what fills the space
    until(lambda: done(engine, "ann"))
    assert [document.name for document in engine.documents("ann")] == ["new.pdf"]


def test_a_document_about_to_be_removed_takes_no_space(make):
    engine = make(limits=Limits(owner_bytes=len(FIRST) + len(SECOND) - 1))
    add(engine, ("manual.pdf", FIRST))
    engine.removals.begin("", engine.documents("")[0].id)
    add(engine, ("合同.pdf", SECOND))
    assert [document.name for document in engine.documents("")] == ["合同.pdf"]


def test_files_that_wait_count_towards_the_disk_space(make):
    locked = encrypted(FIRST, "secret")
    engine = make(limits=Limits(owner_bytes=len(locked) + len(SECOND) - 1))
    engine.add("", "locked.pdf", locked)
    until(lambda: done(engine))
    with pytest.raises(LimitExceeded, match="--quota-mb"):
        engine.add("", "合同.pdf", SECOND)


def test_vectors_of_removed_text_are_gone(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    engine.remove("", engine.documents("")[0].id)
    assert engine._store.rows("SELECT * FROM vectors") == []


def test_details_of_a_document_tell_its_author_and_the_pages_that_could_not_be_read(make):
    engine = make()
    pages = PdfWriter()
    for part in (text_pdf(["Herons nest by the lake."]), scanned_pdf(1)):
        pages.append(io.BytesIO(part))
    pages.add_metadata({"/Author": "ACME", "/CreationDate": "D:20240229"})
    pages.add_outline_item(title="Birds", page_number=0)
    file = io.BytesIO()
    pages.write(file)
    add(engine, ("birds.pdf", file.getvalue()), owner="ann")
    (document,) = engine.documents("ann")
    details = engine.details("ann", document.id)
    assert (details.author, details.created) == ("ACME", "2024-02-29")
    assert [(entry.title, entry.page) for entry in details.outline] == [("Birds", 0)]
    assert [(label, "OCR" in str(note)) for label, note in details.page_notes] == [("2", True)]
    assert engine.details("ben", document.id) is None
