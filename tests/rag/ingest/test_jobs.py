"""The queue over a real store and real PDFs, with the steps after it scripted."""

from __future__ import annotations

import threading

import pytest

from rag.errors import StoreError
from rag.ingest import preparing as module
from rag.ingest.jobs import Jobs
from rag.ingest.preparing import PreparingHere
from rag.messages import Message
from rag.records import JobState
from rag.settings import ChunkSettings, Settings
from rag.store.blobs import original_file
from rag.store.database import Store
from rag.store.folder import prepare
from tests.fakes import ExactEmbedder
from tests.rag.pdfs import encrypted, text_pdf
from tests.waiting import until

HERONS = text_pdf(["Herons nest by the lake in spring."])


@pytest.fixture
def queue(tmp_path):
    """A queue that has not started yet; what it completes is in `queue.completed`."""
    settings = Settings(data_dir=tmp_path / "data")
    prepare(settings)
    store = Store(settings.database)
    completed = []

    def complete(job, prepared):
        loaded, passages = prepared.document, prepared.passages
        completed.append((job.name, len(loaded.pages), [passage.text for passage in passages]))
        return store.add_document(job, 1, loaded, passages) is not None

    def put(name: str, data: bytes, digit: str, owner: str = ""):
        original_file(settings.files_dir, digit * 64).write_bytes(data)
        return opened.add(owner, digit * 64, name)

    opened = Jobs(store, settings, complete=complete, delete_files=lambda *_: None, changed=lambda: None)
    opened.completed, opened.put, opened.store = completed, put, store
    yield opened
    opened.close()
    store.close()


def start(queue, embedder):
    queue.start(embedder, PreparingHere(embedder, ChunkSettings()))


def settled(queue, owner: str = ""):
    until(lambda: all(job.state in (JobState.FAILED, JobState.LOCKED) for job in queue.visible_to(owner)))
    return queue.visible_to(owner)


def test_an_unforeseen_error_ends_one_job_and_not_the_queue(queue, monkeypatch):
    real = module.load

    def load(path, **options):
        if path.stem == "b" * 64:
            raise RuntimeError("a bug")
        return real(path, **options)

    monkeypatch.setattr(module, "load", load)
    queue.put("first.pdf", HERONS, "a")
    queue.put("bad {name}.pdf", HERONS, "b")
    queue.put("last.pdf", HERONS, "c")
    start(queue, ExactEmbedder())
    (failed,) = settled(queue)
    assert {name for name, _, _ in queue.completed} == {"first.pdf", "last.pdf"}
    assert (failed.name, failed.state) == ("bad {name}.pdf", JobState.FAILED)
    assert str(failed.message).startswith("bad {name}.pdf: could not be added because of an error in the program")


def test_reasons_are_templates_with_the_reason_of_the_reader_inside(queue):
    queue.put("cut.pdf", HERONS[:300], "a")
    queue.put("secret.pdf", encrypted(HERONS, "letmein"), "b")
    start(queue, ExactEmbedder())
    for job in settled(queue):
        assert job.message.template == "{name}: {reason}"
        assert job.message.values["name"] == job.name
        assert isinstance(job.message.values["reason"], Message)
        assert queue.store.jobs()[job.id - 1].message == job.message


def test_a_job_takes_the_place_of_its_own_failures_only(queue):
    for owner in ("ann", "ben"):
        queue.put("cut.pdf", HERONS[:300], "a", owner)
    start(queue, ExactEmbedder())
    settled(queue, "ann")
    settled(queue, "ben")
    assert not queue.busy_with("ann", "a" * 64)
    again = queue.put("cut.pdf", HERONS[:300], "a", "ann")
    assert [job.id for job in settled(queue, "ann")] == [again.id]
    assert len(settled(queue, "ben")) == 1
    assert {job.owner for job in queue.store.jobs()} == {"ann", "ben"}


def test_unfinished_jobs_wait_again_after_a_restart(queue, tmp_path):
    for digit, state in (("a", JobState.READING), ("b", JobState.EMBEDDING), ("c", JobState.LOCKED)):
        job = queue.put("x.pdf", HERONS, digit)
        queue.store.set_job(job.id, state)
    settings = Settings(data_dir=tmp_path / "data")
    again = Jobs(queue.store, settings, complete=lambda *_: True, delete_files=lambda *_: None, changed=lambda: None)
    assert [job.state for job in again.visible_to("")] == [JobState.WAITING, JobState.WAITING, JobState.LOCKED]
    again.close()


def test_a_state_that_cannot_be_stored_is_shown_all_the_same(queue, monkeypatch):
    def refuse(*_):
        raise StoreError("The disk is full.")

    monkeypatch.setattr(queue.store, "set_job", refuse)
    queue.put("cut.pdf", HERONS[:300], "a")
    start(queue, ExactEmbedder())
    assert [job.state for job in settled(queue)] == [JobState.FAILED]


def test_a_cancelled_job_is_neither_completed_nor_shown(queue):
    embedder = ExactEmbedder()
    embedder.gate.clear()
    job = queue.put("herons.pdf", HERONS, "a")
    start(queue, embedder)
    until(lambda: queue.visible_to("")[0].state == JobState.EMBEDDING)
    queue.cancel("ann", job.id)
    assert len(queue.visible_to("")) == 1
    queue.cancel("", job.id)
    assert queue.visible_to("") == ()
    threading.Timer(0.05, embedder.gate.set).start()
    queue.close()
    assert queue.completed == []
    assert queue.store.jobs() == []
    assert queue.store.rows("SELECT * FROM vectors") == []
