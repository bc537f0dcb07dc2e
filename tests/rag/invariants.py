"""What holds of every document that was read and of its passages, whatever is in the file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.pdf.tables import find_tables
from rag.records import LoadedDocument, Page, Passage, WordBoxes, page_starts


def check_words(text: str, words: WordBoxes) -> None:
    """Spans are within the text, ascending, not empty and without white space; boxes are within the page."""
    spans, boxes = words.spans, words.boxes
    assert spans.shape == (len(spans), 2)
    assert boxes.shape == (len(spans), 4)
    flat = spans.reshape(-1)
    assert not len(flat) or (flat[0] >= 0 and flat[-1] <= len(text)), "span outside the text"
    assert (flat[1:] >= flat[:-1]).all(), "spans out of order"
    assert (spans[:, 0] < spans[:, 1]).all(), "empty span"
    assert all(len(text[start:end].split()) == 1 for start, end in spans.tolist()), "white space within a word"
    assert np.isfinite(boxes).all()
    assert (boxes >= 0).all()
    assert (boxes <= 1).all()
    assert (boxes[:, :2] <= boxes[:, 2:]).all(), "box turned inside out"


def check_page(page: Page) -> None:
    """Its words match its text, which can be stored; tables of it can be read and lie within it."""
    page.text.encode("utf-8")
    page.furniture.encode("utf-8")
    assert "\0" not in page.text
    check_words(page.text, page.words)
    for table in find_tables(page.text, page.words):
        for row in table.rows:
            for part in (row, *filter(None, row.cells)):
                assert 0 <= part.start < part.end <= len(page.text), "row or cell outside the text"


def check_document(document: LoadedDocument) -> None:
    """Pages are in order, and the outline leads to them."""
    assert [page.number for page in document.pages] == list(range(len(document.pages)))
    for page in document.pages:
        check_page(page)
    for heading in document.outline:
        assert heading.title.strip()
        assert 0 <= heading.page < len(document.pages)
        assert 0 <= heading.top <= 1


def check_passages(document: LoadedDocument, passages: Sequence[Passage]) -> None:
    """Passages cover the text once, in order, and name the pages they stand on."""
    joined = np.cumsum([0, *(len(page.text) for page in document.pages)]).tolist()
    places = page_starts(document.pages)  # with room for pages that await OCR
    text = "".join(page.text for page in document.pages)
    assert "".join(passage.text for passage in passages) == text, "passages are not the text"
    start = 0
    for passage in passages:
        end = start + len(passage.text)
        assert 0 <= passage.first_page <= passage.last_page < len(document.pages)
        assert joined[passage.first_page] <= end
        assert start <= joined[passage.last_page + 1]
        assert passage.start - places[passage.first_page] == start - joined[passage.first_page], "at another place"
        assert passage.end - passage.start == end - start
        start = end
