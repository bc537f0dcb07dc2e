from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from rag.records import JobState, Page, PageKind, WordBoxes, text_digest
from rag.store.database import Store
from rag.store.scans import StoredScan, StoredScans
from rag.store.sentences import StoredSentences
from tests.fakes import ExactEmbedder
from tests.rag.store.test_database import add, store  # noqa: F401 - a fixture

ANN, REPORT = "ann", "a" * 64
FIRST, SECOND = "The first page.", "The second page."


@pytest.fixture
def sentences(store: Store) -> StoredSentences:  # noqa: F811 - the fixture
    add(store, FIRST, SECOND, owner=ANN)
    return StoredSentences(store)


def make(sentences: StoredSentences) -> None:
    """Store a vector for each page that has none."""
    for page in sentences.unmade(100):
        sentences.add(page, [text_digest(page.text)], np.array([[len(page.text), 0.5]], np.float32))


def rows(sentences: StoredSentences) -> int:
    return len(sentences._store.rows("SELECT 1 FROM sentence_vectors"))


def test_pages_without_vectors_are_told_until_they_have_some(sentences):
    first, second = sentences.unmade(100)
    assert [first.text, second.text] == [FIRST, SECOND]
    assert sentences.unmade(1) == [first]
    sentences.add(first, [], np.zeros((0, 0), np.float32))  # a page without a sentence
    assert sentences.unmade(100) == [second]
    make(sentences)
    assert sentences.unmade(100) == []


def test_vectors_come_back_by_page(sentences):
    make(sentences)
    document = (ANN, REPORT)
    found = sentences.of([(document, 0)])
    assert {key: vector.tolist() for key, vector in found.items()} == {
        (document, text_digest(FIRST)): [len(FIRST), 0.5]
    }
    assert len(sentences.of([(document, 0), (document, 1), (document, 7), (("ben", REPORT), 0)])) == 2


def test_no_page_is_told_while_files_are_being_added(sentences):
    job = sentences._store.add_job("ben", "b" * 64, "b.pdf", JobState.WAITING)
    assert sentences.unmade(100) == []
    sentences._store.set_job(job, JobState.FAILED)
    assert len(sentences.unmade(100)) == 2


def test_pages_that_were_lost_keep_no_other_document_from_its_turn(sentences):
    add(sentences._store, "Another document.", owner="ben", document_id="b" * 64)
    make(sentences)
    with sentences._store.transaction() as sql:
        sql.execute("DELETE FROM pages WHERE number = 1")
        sql.execute("DELETE FROM sentence_vectors")
    make(sentences)
    make(sentences)
    assert rows(sentences) == 2
    assert sentences.unmade(100) == []


def test_vectors_go_with_their_document(sentences):
    make(sentences)
    sentences._store.remove_document(ANN, REPORT)
    assert rows(sentences) == 0


def test_nothing_is_stored_for_a_page_that_is_gone_or_has_changed(sentences):
    first, second = sentences.unmade(100)
    sentences.add(replace(first, crc=first.crc + 1), [], np.zeros((0, 0), np.float32))
    sentences._store.remove_document(ANN, REPORT)
    sentences.add(second, [], np.zeros((0, 0), np.float32))
    assert rows(sentences) == 0


def test_a_page_that_was_read_by_ocr_gets_new_vectors(sentences):
    make(sentences)
    (row,) = sentences._store.rows("SELECT key FROM documents")
    scan = StoredScan(row["key"], ANN, REPORT, "a.pdf", ((1, "iv", PageKind.SCANNED),), (0, 99), ())
    page = Page(1, "iv", PageKind.OCR, "A page that was read.", WordBoxes.of([]), 595.0, 842.0)
    StoredScans(sentences._store).add(scan, [page], [], np.zeros((0, 2), np.float32), lambda *_: ())
    assert [page.text for page in sentences.unmade(100)] == ["A page that was read."]


def test_another_embedder_makes_them_again(sentences):
    make(sentences)
    embedder = ExactEmbedder()
    sentences._store.require_embedder(embedder)
    assert rows(sentences) == 2
    sentences._store.delete_vectors()
    assert rows(sentences) == 0
    make(sentences)
    embedder.revision = "another"
    sentences._store.require_embedder(embedder)
    assert rows(sentences) == 0


def test_damaged_vectors_are_made_again(sentences):
    make(sentences)
    assert sentences._store.delete_damaged_vectors() == 0
    with sentences._store.transaction() as sql:
        sql.execute("UPDATE sentence_vectors SET vectors = ? WHERE page = 1", (b"\1\2\3\4",))
    assert sentences._store.delete_damaged_vectors() == 1
    assert [page.number for page in sentences.unmade(100)] == [1]


def test_the_checksum_is_over_digests_and_vectors(sentences):
    make(sentences)
    row = sentences._store.rows("SELECT digests, vectors, crc FROM sentence_vectors")[0]
    assert row["crc"] == zlib.crc32(row["digests"] + row["vectors"])
