from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import EmbedderMismatch, StoreDamaged, StoreError, StoreInUse
from rag.messages import Message
from rag.records import Heading, Job, JobState, LoadedDocument, Page, PageKind, Passage, WordBoxes, text_digest
from rag.store.database import MAX_PAGE_NOTES, Store
from tests.fakes import ExactEmbedder

SCANNED = Message("{count} of {pages} pages is scanned", {"count": 1, "pages": 4})
CANARY = "HERON-7731 nests by the lake.\n"


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "library.sqlite") as opened:
        yield opened


def loaded(*texts: str) -> LoadedDocument:
    words = WordBoxes.of([(0, 4, (0.1, 0.2, 0.3, 0.25))])
    pages = tuple(
        Page(
            n,
            "iv",
            PageKind.TEXT if text else PageKind.SCANNED,
            text,
            words,
            595.0,
            842.0,
            "Header",
            n == 0,
            Message("a note"),
        )
        for n, text in enumerate(texts)
    )
    return LoadedDocument(pages, (Heading("Top", 1, 0),), "Title", "Author", "2024-01-01", (SCANNED,))


def passages(*texts: str) -> list[Passage]:
    return [Passage(text, 0, len(text), 0, 0, ("Top",)) for text in texts]


FOUND_BY = text_digest(passages(CANARY)[0].searchable)


def add(store: Store, *texts: str, owner: str = "", document_id: str = "a" * 64) -> list[int]:
    found = passages(*texts)
    vectors = ExactEmbedder().queries([passage.searchable for passage in found])
    store.add_vectors([text_digest(passage.searchable, owner) for passage in found], vectors)
    job = Job(
        store.add_job(owner, document_id, "", JobState.READING), owner, document_id, "<b>name</b>.pdf", JobState.READING
    )
    return store.add_document(job, 123, loaded(*texts), found)


def test_what_goes_in_comes_out(store):
    ids = add(store, CANARY, "")
    (document,) = store.documents("anyone")
    assert (document.name, document.title, document.bytes) == ("<b>name</b>.pdf", "Title", 123)
    assert (document.pages, document.passages) == (2, 2)
    assert document.kinds == {"text": 1, "scanned": 1}
    assert document.notes == (SCANNED,)
    page, second = store.pages("", document.id)
    original = loaded(CANARY).pages[0]
    for field in ("number", "label", "kind", "text", "note"):
        assert getattr(page, field) == getattr(original, field)
    assert (page.start, second.start) == (0, len(CANARY))
    assert page.words.spans.tolist() == [[0, 4]]
    assert page.words.boxes == pytest.approx(original.words.boxes, abs=1e-4)
    kept = store.passages(ids)[ids[0]]
    assert (kept.document, kept.passage.text, kept.passage.heading) == ("<b>name</b>.pdf", CANARY, ("Top",))
    assert kept.page_label == "iv"


def test_all_passages_come_with_their_vectors(store):
    ids = add(store, "one text\n", "another text\n")
    ((kept, vectors),) = store.all_passages()
    assert [passage.id for passage in kept] == ids
    assert vectors == pytest.approx(ExactEmbedder().queries(["Top\none text\n", "Top\nanother text\n"]))
    assert store.vectors_of([text_digest(one.searchable) for one in passages("another text\n")]) == pytest.approx(
        vectors[1:]
    )


def test_details_come_with_the_outline_and_the_first_notes_on_pages(store):
    add(store, *["text\n"] * (MAX_PAGE_NOTES + 1), owner="ann")
    details = store.document_details("ann", "a" * 64)
    assert (details.author, details.created, details.outline) == ("Author", "2024-01-01", (Heading("Top", 1, 0),))
    assert details.page_notes == (("iv", Message("a note")),) * MAX_PAGE_NOTES
    assert store.document_details("ben", "a" * 64) is None
    add(store, CANARY)
    assert store.document_details("ben", "a" * 64).page_notes == (("iv", Message("a note")),)
    assert len(store.document_details("ann", "a" * 64).page_notes) == MAX_PAGE_NOTES  # one's own before the shared one


texts = st.lists(st.text(alphabet="aé 字𝛑\n\0", max_size=9), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_a_page_starts_where_the_texts_before_it_end(tmp_path, texts):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder, Store(Path(folder) / "library.sqlite") as store:
        add(store, *texts)
        for number, text in enumerate(texts):
            start = len("".join(texts[:number]))
            assert store.page_start("", "a" * 64, number) == start
            assert store.page_text("", "a" * 64, number) == (start, text)
        assert store.page_text("", "a" * 64, len(texts)) == (0, "")


def test_owners_see_their_own_and_shared_documents(store):
    add(store, "shared\n")
    add(store, "mine\n", owner="ann", document_id="b" * 64)
    assert [document.id[0] for document in store.documents("ann")] == ["a", "b"]
    assert [document.id[0] for document in store.documents("ben")] == ["a"]
    assert len(store.documents()) == 2
    assert store.remove_document("ben", "b" * 64) == []
    assert store.remove_document("ann", "a" * 64) == []
    assert len(store.documents()) == 2


def test_removed_text_is_gone_from_the_disk(store, tmp_path):
    ids = add(store, CANARY)
    assert any(b"HERON-7731" in file.read_bytes() for file in tmp_path.iterdir())
    assert store.remove_document("", "a" * 64) == ids
    store.checkpoint()
    assert store.documents("") == []
    assert store.passages(ids) == {}
    assert store.without_vector([FOUND_BY]) == {FOUND_BY}
    assert not any(b"HERON" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_vector_that_another_document_needs_stays(store):
    add(store, CANARY)
    add(store, CANARY, owner="ann")
    store.remove_document("ann", "a" * 64)
    assert store.without_vector([FOUND_BY]) == set()


def test_protected_vectors_stay_while_other_orphans_go(store):
    digests = [text_digest("protected"), text_digest("orphan")]
    store.add_vectors(digests, ExactEmbedder().queries(["protected", "orphan"]))
    store.protect_vectors(digests[:1])
    store.delete_orphan_vectors()
    assert store.without_vector(digests) == {digests[1]}
    store.protect_vectors([])
    store.delete_orphan_vectors()
    assert store.without_vector(digests) == set(digests)


def test_removing_a_document_keeps_protected_vectors(store):
    add(store, CANARY)
    store.protect_vectors([FOUND_BY])
    store.remove_document("", "a" * 64)
    assert store.without_vector([FOUND_BY]) == set()


def test_an_unfinished_document_is_invisible(store):
    page, job = loaded("text\n").pages[0], store.add_job("", "a" * 64, "x.pdf", JobState.READING)
    with pytest.raises(sqlite3.IntegrityError):
        store.add_document(
            Job(job, "", "a" * 64, "x.pdf", JobState.READING), 1, LoadedDocument((page, page)), passages("text\n")
        )
    assert store.documents() == []
    assert store.pages("", "a" * 64) == []
    add(store, "text\n")
    assert len(store.documents()) == 1


def test_another_embedder_is_refused_with_the_way_out(store):
    embedder, other = ExactEmbedder(), ExactEmbedder()
    other.name, other.revision, other.dimension = "other", "2", 8
    store.require_embedder(embedder)
    store.require_embedder(other)  # no vector yet: nothing to lose
    store.require_embedder(embedder)
    add(store, "text\n")
    store.require_embedder(embedder)
    with pytest.raises(EmbedderMismatch, match=r"made by exact .*512 dimensions.*--re-embed"):
        store.require_embedder(other)
    store.delete_vectors()
    assert store.texts_without_vector(10) == {text_digest("Top\ntext\n"): "Top\ntext\n"}
    store.require_embedder(other)


def test_a_folder_in_use_is_refused(store, tmp_path):
    with pytest.raises(StoreInUse, match="--data-dir"):
        Store(tmp_path / "library.sqlite")


def hold_folder(database, opened):
    with Store(database):
        opened.set()
        time.sleep(60)


def test_the_folder_of_a_process_that_was_killed_is_free(tmp_path):
    context = multiprocessing.get_context("spawn")
    opened = context.Event()
    process = context.Process(target=hold_folder, args=(tmp_path / "library.sqlite", opened))
    process.start()
    assert opened.wait(60)
    try:
        with pytest.raises(StoreInUse, match=r"Another process uses the data folder .*--data-dir"):
            Store(tmp_path / "library.sqlite")
    finally:
        process.kill()
        process.join()
    Store(tmp_path / "library.sqlite").close()


def test_closing_from_another_thread_releases_the_folder(tmp_path):
    opened = Store(tmp_path / "library.sqlite")
    closing = threading.Thread(target=opened.close)
    closing.start()
    closing.join()
    Store(tmp_path / "library.sqlite").close()


def test_closing_releases_the_folder(tmp_path):
    Store(tmp_path / "library.sqlite").close()
    Store(tmp_path / "library.sqlite").close()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000], ids=["text", "torn"]
)
def test_a_damaged_database_is_named(tmp_path, content):
    (tmp_path / "library.sqlite").write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"library\.sqlite"):
        Store(tmp_path / "library.sqlite")


def test_pages_cut_off_are_noticed(tmp_path):
    database = tmp_path / "library.sqlite"
    with Store(database) as opened:
        add(opened, *(f"text {n}\n" * 50 for n in range(60)))
    data = database.read_bytes()
    database.write_bytes(data[: len(data) // 2])
    with pytest.raises(StoreDamaged):
        Store(database)


def test_jobs_survive_a_restart(tmp_path):
    reason = Message("{name}: {reason}", {"name": "x.pdf", "reason": Message("no text")})
    with Store(tmp_path / "library.sqlite") as opened:
        first = opened.add_job("ann", "a" * 64, "x.pdf", JobState.WAITING)
        second = opened.add_job("", "b" * 64, "y.pdf", JobState.WAITING)
        opened.set_job(first, JobState.FAILED, reason)
        opened.remove_job(second)
    with Store(tmp_path / "library.sqlite") as opened:
        assert opened.jobs() == [Job(first, "ann", "a" * 64, "x.pdf", JobState.FAILED, message=reason)]
        assert sorted(opened.orphaned_files()) == [("a" * 64, False), ("b" * 64, False)]


def test_files_are_orphaned_only_when_nothing_refers_to_them(store):
    add(store, "text\n")
    add(store, "text\n", owner="ann")
    assert store.orphaned_files() == []
    store.remove_document("ann", "a" * 64)
    assert store.orphaned_files() == []
    store.remove_document("ben", "../../etc/passwd")
    assert store.orphaned_files() == []
    store.remove_document("", "a" * 64)
    assert store.orphaned_files() == [("a" * 64, False)]
    store.add_job("", "a" * 64, "x.pdf", JobState.WAITING)
    assert store.orphaned_files() == []


def test_a_document_ends_its_job_and_a_cancelled_one_leaves_nothing(store):
    add(store, "text\n")
    assert store.jobs() == []
    gone = Job(77, "", "b" * 64, "x.pdf", JobState.READING)
    assert store.add_document(gone, 1, loaded("text\n"), passages("text\n")) is None
    assert len(store.documents()) == 1


def test_words_are_located_by_line_and_by_share():
    words = WordBoxes.of(
        [
            (0, 5, (0.1, 0.1, 0.2, 0.12)),
            (6, 11, (0.21, 0.1, 0.3, 0.12)),
            (12, 22, (0.1, 0.13, 0.3, 0.15)),
        ]
    )
    assert words.locate(0, 11) == [pytest.approx((0.1, 0.1, 0.3, 0.12))]
    assert len(words.locate(0, 22)) == 2
    assert words.locate(12, 17) == [pytest.approx((0.1, 0.13, 0.2, 0.15))]
    assert words.locate(17, 99) == [pytest.approx((0.2, 0.13, 0.3, 0.15))]
    assert words.locate(30, 40) == []
    assert WordBoxes.none().locate(0, 5) == []
    assert WordBoxes.from_bytes(WordBoxes.none().to_bytes()).spans.shape == (0, 2)
    assert np.array_equal(WordBoxes.from_bytes(words.to_bytes()).spans, words.spans)


def test_digests_of_different_texts_differ_also_for_lone_surrogates():
    assert len({text_digest(text) for text in ("a", "b", "", "\ud800", "a ")}) == 5
    assert len(text_digest("a")) == 16


def test_a_database_that_cannot_be_opened_is_an_error_for_a_person_and_leaves_the_folder_free(tmp_path):
    database = tmp_path / "data" / "library.db"
    database.mkdir(parents=True)  # a folder where the file should be
    with pytest.raises(StoreError, match="choose another --data-dir") as caught:
        Store(database)
    database.rmdir()
    with Store(database) as store:  # while the traceback still holds what was opened
        assert store.documents() == []
    assert caught.value.message.values["database"] == str(database)
