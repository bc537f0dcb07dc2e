from __future__ import annotations

import dataclasses
import sqlite3

import numpy as np
import pytest

from rag.embed.embedder import text_digest
from rag.errors import EmbedderMismatch, StoreDamaged, StoreError, StoreInUse
from rag.messages import Message
from rag.records import Heading, Job, JobState, LoadedDocument, Page, PageKind, Passage, WordBoxes
from rag.store.database import Store
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
    store.keep_vectors([text_digest(passage.searchable) for passage in found], vectors)
    job = Job(store.add_job(owner, document_id, "", "reading"), owner, document_id, "<b>name</b>.pdf", JobState.READING)
    return store.add_document(job, 123, loaded(*texts), found)


def test_what_goes_in_comes_out(store):
    ids = add(store, CANARY, "")
    (document,) = store.documents("anyone")
    assert (document.name, document.title, document.bytes) == ("<b>name</b>.pdf", "Title", 123)
    assert (document.pages, document.passages) == (2, 2)
    assert document.kinds == {"text": 1, "scanned": 1}
    assert document.notes == (SCANNED,)
    page = store.pages("", document.id, 0, 0)[0]
    original = loaded(CANARY).pages[0]
    assert dataclasses.replace(page, words=original.words) == original
    assert page.words.spans.tolist() == [[0, 4]]
    assert page.words.boxes == pytest.approx(original.words.boxes, abs=1e-4)
    kept = store.passages(ids)[ids[0]]
    assert (kept.document, kept.passage.text, kept.passage.heading) == ("<b>name</b>.pdf", CANARY, ("Top",))
    assert store.page_start("", document.id, 1) == len(CANARY)
    assert kept.page_label == "iv"


def test_all_passages_come_with_their_vectors(store):
    ids = add(store, "one text\n", "another text\n")
    ((kept, vectors),) = store.all_passages()
    assert [passage.id for passage in kept] == ids
    assert vectors == pytest.approx(ExactEmbedder().queries(["Top\none text\n", "Top\nanother text\n"]))
    assert store.vectors_of(passages("another text\n")) == pytest.approx(vectors[1:])


def test_notes_that_older_versions_stored_as_sentences_are_read(store):
    add(store, CANARY)
    with store.transaction() as sql:
        sql.execute("""UPDATE documents SET notes = '["1 of 4 pages is {scanned}"]'""")
        sql.execute("UPDATE pages SET note = 'This page is damaged.'")
    (document,) = store.documents("")
    assert [str(note) for note in document.notes] == ["1 of 4 pages is {scanned}"]
    assert [str(page.note) for page in store.pages("", document.id, 0, 0)] == ["This page is damaged."]


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
    store.flush()
    assert store.documents("") == []
    assert store.passages(ids) == {}
    assert store.missing([FOUND_BY]) == {FOUND_BY}
    assert not any(b"HERON" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_vector_that_another_document_needs_stays(store):
    add(store, CANARY)
    add(store, CANARY, owner="ann")
    store.remove_document("ann", "a" * 64)
    assert store.missing([FOUND_BY]) == set()


def test_vectors_of_a_job_at_work_stay_while_others_go(store):
    digests = [text_digest("held"), text_digest("orphan")]
    store.keep_vectors(digests, ExactEmbedder().queries(["held", "orphan"]))
    store.hold(digests[:1])
    store.drop_orphan_vectors()
    assert store.missing(digests) == {digests[1]}
    store.hold([])
    store.drop_orphan_vectors()
    assert store.missing(digests) == set(digests)


def test_removing_a_document_keeps_the_vectors_a_job_at_work_found(store):
    add(store, CANARY)
    store.hold([FOUND_BY])
    store.remove_document("", "a" * 64)
    assert store.missing([FOUND_BY]) == set()


def test_an_unfinished_document_is_invisible(store):
    page, job = loaded("text\n").pages[0], store.add_job("", "a" * 64, "x.pdf", "reading")
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
    store.claim(embedder)
    store.claim(other)  # no vector yet: nothing to lose
    store.claim(embedder)
    add(store, "text\n")
    store.claim(embedder)
    with pytest.raises(EmbedderMismatch, match=r"made by exact .*512 dimensions.*--re-embed"):
        store.claim(other)
    store.forget_vectors()
    assert store.texts_without_vector(10) == ["Top\ntext\n"]
    store.claim(other)


def test_a_folder_in_use_is_refused(store, tmp_path):
    with pytest.raises(StoreInUse, match="--data-dir"):
        Store(tmp_path / "library.sqlite")


def test_closing_lets_the_folder_go(tmp_path):
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


def test_another_format_is_refused(tmp_path):
    Store(tmp_path / "library.sqlite").close()
    with sqlite3.connect(tmp_path / "library.sqlite") as sql:
        sql.execute("PRAGMA user_version=99")
    sql.close()
    with pytest.raises(StoreError, match="format 99"):
        Store(tmp_path / "library.sqlite")


def test_jobs_are_kept(tmp_path):
    with Store(tmp_path / "library.sqlite") as opened:
        first = opened.add_job("ann", "a" * 64, "x.pdf", "waiting")
        second = opened.add_job("", "b" * 64, "y.pdf", "waiting")
        opened.set_job(first, "failed", "no text")
        opened.remove_job(second)
    with Store(tmp_path / "library.sqlite") as opened:
        (row,) = opened.jobs()
        assert (row["id"], row["owner"], row["state"], row["message"]) == (first, "ann", "failed", "no text")
        assert sorted(opened.doomed()) == ["a" * 64, "b" * 64]


def test_files_are_doomed_only_when_nothing_needs_them(store):
    add(store, "text\n")
    add(store, "text\n", owner="ann")
    assert store.doomed() == []
    store.remove_document("ann", "a" * 64)
    assert store.doomed() == []
    store.remove_document("ben", "../../etc/passwd")
    assert store.doomed() == []
    store.remove_document("", "a" * 64)
    assert store.doomed() == ["a" * 64]
    store.add_job("", "a" * 64, "x.pdf", "waiting")
    assert store.doomed() == []


def test_a_document_ends_its_job_and_one_given_up_leaves_nothing(store):
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
