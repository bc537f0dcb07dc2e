"""Documents with scanned pages in a whole engine: when they join, what comes first, and what survives."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from pypdf import PdfWriter

from rag.pdf.notes import CANCELLED, NOT_READ_YET
from rag.records import OCR_ROOM, JobState
from rag.settings import Limits
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, add, ask, done
from tests.rag.ocr import FakeOcr
from tests.rag.pdfs import encrypted, scanned_pdf, text_pdf
from tests.waiting import until

HERONS = "Herons nest by the lake in spring. The number of nests was 4711 in the year 1998."


def mixed(*parts: bytes) -> bytes:
    writer = PdfWriter()
    for part in parts:
        writer.append(io.BytesIO(part))
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


MIXED = mixed(text_pdf([HERONS]), scanned_pdf(2), text_pdf(["The valve is blue and weighs 12 kg."]))


def kinds(engine, owner=""):
    return [document.kinds for document in engine.documents(owner)]


def test_text_can_be_asked_while_scanned_pages_wait_and_scans_once_they_are_read(make):
    ocr = FakeOcr()
    ocr.gate.clear()
    engine = make(ocr=ocr)
    engine.add("", "mixed.pdf", MIXED)
    until(lambda: engine.documents("") and engine.jobs("")[0].state == JobState.OCR)
    (job,) = engine.jobs("")
    assert (job.state, job.pages, job.pages_read, job.name) == (JobState.OCR, 2, 0, "mixed.pdf")
    (document,) = engine.documents("")
    assert document.kinds == {"text": 2, "scanned": 2}
    assert document.notes == ()
    details = engine.details("", document.id)
    assert details.page_notes == (("2", NOT_READ_YET), ("3", NOT_READ_YET))
    found, _, _ = ask(engine, "How much does the valve weigh?")
    valve = found.sources[0]
    assert "12 kg" in valve.text
    ocr.gate.set()
    until(lambda: done(engine))
    assert kinds(engine) == [{"text": 2, "ocr": 2}]
    assert engine.details("", document.id).page_notes == ()
    found, answer, _ = ask(engine, "What were the quarterly sales?")
    assert "1,204 million" in answer
    assert found.sources[0].first_page in (1, 2)
    view = engine.view("", found.sources[0])
    assert view.page in (1, 2)
    assert view.passage_boxes
    # A source from before is still where it was.
    assert engine.view("", valve).page == 3
    assert engine.view("", valve).passage_boxes
    assert [page.start for page in engine._store.pages("", document.id)][1:] == [
        len(HERONS) + 1,
        len(HERONS) + 1 + OCR_ROOM,
        len(HERONS) + 1 + 2 * OCR_ROOM,
    ]


def test_a_document_of_scans_alone_is_added_once_some_of_its_pages_are_read(make):
    ocr = FakeOcr(lambda number: () if number < 3 else (f"Page {number + 1} says that herons nest in reeds.",))
    engine = make(ocr=ocr)
    engine.add("", "scan.pdf", scanned_pdf(8))
    until(lambda: done(engine))
    assert ocr.asked == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert kinds(engine) == [{"empty": 3, "ocr": 5}]
    (document,) = engine.documents("")
    assert document.passages == 5
    texts = [page.text for page in engine._store.pages("", document.id)]
    assert texts[7] == "Page 8 says that herons nest in reeds.\n"
    starts = [page.start for page in engine._store.pages("", document.id)]
    for kept in engine._store.document_passages("", document.id):
        passage = kept.passage
        assert texts[passage.first_page] == passage.text
        assert starts[passage.first_page] == passage.start


def test_scans_without_text_fail_and_say_what_to_do(make, tmp_path):
    engine = make()
    add(engine, ("scan.pdf", scanned_pdf(4)))
    (job,) = engine.jobs("")
    assert job.state == JobState.FAILED
    assert "pages: 4 empty), and OCR finds none either: scan it again" in str(job.message)
    assert engine.documents("") == ()
    assert list((tmp_path / "data" / "files").iterdir()) == []


def test_a_page_that_fails_is_told_with_the_way_out(make):
    engine = make(ocr=FakeOcr(lambda number: None if number == 1 else ("The lake is deep.",)))
    add(engine, ("mixed.pdf", MIXED))
    (document,) = engine.documents("")
    assert document.kinds == {"text": 2, "scanned": 1, "ocr": 1}
    assert [str(note) for note in document.notes] == ["1 of 4 pages is scanned and could not be read by OCR: 2."]
    ((label, note),) = engine.details("", document.id).page_notes
    assert label == "2"
    assert "scan it again" in str(note)


def test_every_text_comes_before_any_scan_and_documents_take_turns(make):
    ocr, embedder = FakeOcr(), ExactEmbedder()
    engine = make(ocr=ocr, embedder=embedder)
    engine.wait()
    embedder.gate.clear()
    engine.add("", "long scan.pdf", mixed(text_pdf([HERONS]), scanned_pdf(7)))
    engine.add("ann", "scan.pdf", mixed(text_pdf(["Ann's reeds."]), scanned_pdf(2)))
    engine.add("", "text.pdf", FIRST)
    until(lambda: any(job.state == JobState.EMBEDDING for job in engine.jobs("")))
    assert ocr.asked == []
    embedder.gate.set()
    until(lambda: done(engine) and done(engine, "ann"))
    assert sorted(ocr.asked[:2]) == [[1, 2], [1, 2, 3]]
    assert ocr.asked[2:] == [[4, 5, 6], [7]]


def test_a_file_added_meanwhile_is_read_before_the_next_page(make):
    ocr, embedder = FakeOcr(), ExactEmbedder()
    engine = make(ocr=ocr, embedder=embedder)
    ocr.gate.clear()
    engine.add("", "long scan.pdf", mixed(text_pdf([HERONS]), scanned_pdf(3)))
    until(lambda: ocr.asked)
    embedder.gate.clear()
    engine.add("ben", "text.pdf", FIRST)
    until(lambda: any(job.state == JobState.EMBEDDING for job in engine.jobs("ben")))
    ocr.gate.set()
    until(lambda: engine.jobs("")[0].pages_read == 1)
    assert engine.jobs("")[0].pages_read == 1
    embedder.gate.set()
    until(lambda: done(engine) and done(engine, "ben"))
    assert ocr.asked == [[1, 2, 3], [2, 3]]


def test_it_goes_on_after_a_restart_where_it_stopped(make):
    ocr = FakeOcr()
    engine = make(ocr=ocr)
    document = mixed(text_pdf([HERONS]), scanned_pdf(7))
    ocr.lines = lambda number: ocr.gate.clear() if number == 5 else (f"Page {number} of reeds.",)
    engine.add("", "scan.pdf", document)
    until(lambda: engine.documents("") and engine.documents("")[0].kinds.get("ocr") == 3)
    engine.close()
    assert ocr.asked[0] == [1, 2, 3]
    again = FakeOcr()
    engine = make(ocr=again)
    until(lambda: again.asked and done(engine))
    assert again.asked == [[4, 5, 6], [7]]
    assert kinds(engine) == [{"text": 1, "ocr": 7}]


def test_scans_left_without_ocr_are_read_at_the_next_start_with_it(make):
    engine = make(scans=False)
    add(engine, ("mixed.pdf", MIXED), ("scan.pdf", scanned_pdf(1)))
    assert kinds(engine) == [{"text": 2, "scanned": 2}]
    assert "cannot be searched before OCR" in str(engine.documents("")[0].notes[0])
    assert "start without --no-ocr" in str(engine.jobs("")[0].message)
    engine.close()
    engine = make(ocr=FakeOcr())
    engine.wait()
    until(lambda: kinds(engine) == [{"text": 2, "ocr": 2}])
    assert engine.documents("")[0].notes == ()


def test_cancelling_leaves_the_rest_unread_for_good_and_only_its_owner_can(make):
    ocr = FakeOcr()
    ocr.gate.clear()
    engine = make(ocr=ocr)
    engine.add("ann", "mixed.pdf", MIXED)
    until(lambda: ocr.asked)
    (job,) = engine.jobs("ann")
    engine.cancel("ben", job.id)
    assert [job.id for job in engine.jobs("ann")] == [job.id]
    assert engine.jobs("ben") == ()
    engine.cancel("ann", job.id)
    assert engine.jobs("ann") == ()
    (document,) = engine.documents("ann")
    assert "2 of 4 pages are scanned without text" in str(document.notes[0])
    assert [note for _, note in engine.details("ann", document.id).page_notes] == [CANCELLED] * 2
    ocr.gate.set()
    engine.close()
    again = FakeOcr()
    engine = make(ocr=again)
    engine.wait()
    assert engine.jobs("ann") == ()
    assert again.asked == []


@pytest.mark.parametrize("pages", [0, 1], ids=["of scans alone", "with text"])
def test_removing_or_cancelling_a_document_stops_its_reading(make, tmp_path, pages):
    ocr = FakeOcr()
    ocr.gate.clear()
    engine = make(ocr=ocr)
    engine.add("", "scan.pdf", mixed(*[text_pdf([HERONS])] * pages, scanned_pdf(2)))
    until(lambda: ocr.asked)
    if pages:
        engine.remove("", engine.documents("")[0].id)
    else:
        engine.cancel("", engine.jobs("")[0].id)
    assert engine.jobs("") == ()
    engine.add("", "other.pdf", mixed(text_pdf(["Reeds."]), scanned_pdf(1)))
    ocr.gate.set()
    until(lambda: done(engine))
    assert [document.name for document in engine.documents("")] == ["other.pdf"]
    assert engine._store.rows("SELECT * FROM pages_awaiting_ocr") == []
    until(lambda: len(list((tmp_path / "data" / "files").iterdir())) == 1)


def test_scanned_pages_of_a_protected_file_are_read_too(make):
    engine = make(ocr=FakeOcr())
    engine.add("", "secret.pdf", encrypted(scanned_pdf(1), "letmein"))
    until(lambda: engine.jobs("")[0].state == JobState.LOCKED)
    engine.unlock("", engine.jobs("")[0].id, "letmein")
    until(lambda: engine.documents("") and done(engine))
    assert kinds(engine) == [{"ocr": 1}]


def test_pages_over_the_limit_are_left_and_told(make):
    engine = make(ocr=FakeOcr(), limits=replace(Limits(), ocr_pages=2))
    add(engine, ("scan.pdf", scanned_pdf(3)))
    (document,) = engine.documents("")
    assert document.kinds == {"ocr": 2, "scanned": 1}
    assert "1 of 3 pages is scanned" in str(document.notes[0])


def test_a_bug_in_reading_ends_one_document_and_not_the_queue(make):
    def lines(number):
        if number == 1:
            raise RuntimeError("a bug")
        return ("The lake is deep.",)

    engine = make(ocr=FakeOcr(lines))
    engine.add("", "bad.pdf", scanned_pdf(2))
    engine.add("", "good.pdf", mixed(scanned_pdf(1)))
    until(lambda: engine.documents("") and done(engine))
    assert [document.name for document in engine.documents("")] == ["good.pdf"]
    (job,) = engine.jobs("")
    assert (job.name, job.state) == ("bad.pdf", JobState.FAILED)
