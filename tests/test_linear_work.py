"""Every step that works on a stranger's text, on hostile text: twice the text may not take 2.6 times the time.

Time is the processor time of this thread, the least of several runs, so that what else the machine does counts little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from rag.answer.citations import check_citations
from rag.answer.claims.dates import find_dates
from rag.answer.claims.quantities import find_quantities
from rag.answer.claims.tokens import analyse
from rag.answer.marks import extract_citation_marks
from rag.answer.sentences import sentence_spans
from rag.answer.view import Folding, find_spans
from rag.evaluation.expected import expected_values
from rag.index.tokenize import terms
from rag.ingest.chunk import chunk_document
from rag.pdf.child import WORD
from rag.pdf.form_fields import Field, with_fields
from rag.pdf.furniture import remove_running_lines
from rag.pdf.glyph_order import restore
from rag.pdf.headings import detect_headings, page_title, shown_headings
from rag.pdf.ligatures import restore as restore_ligatures
from rag.pdf.lines import PageLayout, join_lines, lay_out, lay_out_plain
from rag.pdf.normalize import clean_line, clean_word, meaningful_title
from rag.pdf.page_breaks import ends_mid_sentence, starts_mid_sentence
from rag.pdf.tables import find_tables
from rag.pdf.text_quality import readability
from rag.records import Heading, LoadedDocument, Page, PageKind, Source, WordBoxes
from rag.settings import AnswerSettings, ChunkSettings
from tests.fakes import ExactEmbedder
from webui.views.markup import citations_to_placeholders, to_html

MAX_RATIO = 2.6
FIRST_SIZE, LAST_SIZE = 8_000, 64_000  # characters
ENOUGH_SECONDS = 0.01  # of the smaller size, to be measured
ATTEMPTS = 4  # the least times of so many count
SIZES = 3  # at which it must be too slow
MAX_SECONDS = 1.0  # more text is not tried
COLUMNS = 7
LINE = "The company sold 3,600 units in 2018, 12% more than in 2017. 合同编号是第7731号。\n"
HOSTILE = [
    " ", "\n", "a", "a ", "1", "1 ", "1,", "1\n", "A ", "A. ", "a. ", "(", "[", "[1]", "[1 ", "“", "'", "- ", "a-",
    "#\n", "字", "字 ", "字。", "第一", "3.5亿元", "$1 ", "Revenue 1,577 1,409\n", "* a\n", "| a ", "`", "**a", "<b>",
    "\u1ab0\u1ab5", "\u3000", "of ", "not ", "J. Smith ", "1 + 1 = ", "on 3 May 2021 ", "\u0627\u0644", LINE,
]  # fmt: skip
_count_tokens = ExactEmbedder().count_tokens


def page(text: str, words: WordBoxes | None = None) -> Page:
    return Page(0, "1", PageKind.TEXT, text, words or WordBoxes.none(), 612, 792)


def layout(text: str) -> PageLayout:
    """The page with its words in columns."""
    spans = np.array([found.span() for found in WORD.finditer(text)], np.int32).reshape(-1, 2)
    rows = max(len(spans) / COLUMNS, 50)
    number = np.arange(len(spans))
    left, top = number % COLUMNS / COLUMNS, number // COLUMNS / rows
    boxes = np.stack([left, top, left + 0.8 / COLUMNS, top + 0.6 / rows], axis=1).astype(np.float32)
    return lay_out(text, spans, boxes, 612, 792)


def read_pages(text: str) -> None:
    pages = {number: layout(text) for number in range(3)}
    remove_running_lines(pages)
    for one in pages.values():
        join_lines(one, set())
        ends_mid_sentence(one)
        starts_mid_sentence(one)


def read_tables(text: str) -> None:
    find_tables(*join_lines(layout(text), set()))


def fill_in(text: str) -> None:
    """As values of a form."""
    values = [Field(text[start : start + 200], 0, 0, 1, 0.1) for start in range(0, len(text), 200)]
    with_fields("Name", WordBoxes.of([(0, 4, (0.1, 0.1, 0.2, 0.2))]), values)


def chunk(text: str) -> None:
    """With an outline of as many entries as the text allows."""
    outline = [Heading(text[start : start + 9].strip() or "x", 1, 0) for start in range(0, len(text), 200)]
    chunk_document(LoadedDocument((page(text),), outline=tuple(outline)), _count_tokens, ChunkSettings())


def source(text: str) -> Source:
    return Source(1, 1, "d", "d.pdf", 0, 0, "1", (), text, 0, len(text), 1.0)


WORK: dict[str, Callable[[str], object]] = {
    "lines and furniture": read_pages,
    "lines without boxes": lambda text: lay_out_plain(text, 612, 792),
    "letters of one glyph": lambda text: restore(text, lambda _: (0.0, 0.0)),
    "ligatures": restore_ligatures,
    "form fields": fill_in,
    "tables": read_tables,
    "readability": readability,
    "words": clean_word,
    "titles": lambda text: (clean_line(text), meaningful_title(text), page_title(text), shown_headings([text])),
    "headings": lambda text: detect_headings([page(text)] * 2, [0, len(text)]),
    "passages": chunk,
    "terms": terms,
    "sentences": sentence_spans,
    "quantities and dates": lambda text: (find_quantities(text), list(find_dates(text))),
    "tokens of claims": analyse,
    "claims of a long answer": lambda text: check_citations(text, [source(LINE)], AnswerSettings()),
    "claims from a long source": lambda text: check_citations(LINE, [source(text)], AnswerSettings()),
    "citation marks": extract_citation_marks,
    "expected values": expected_values,
    "search on a page": lambda text: find_spans(text, "aa", Folding()),
    "plain text": lambda text: to_html(text, str, plain=True),
    "Markdown": lambda text: (to_html(text, str, plain=False), citations_to_placeholders(text, 3)),
}


def seconds(work: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    work(text)
    return time.thread_time() - start


def growth(work: Callable[[str], object], unit: str, sizes: int = SIZES) -> float:
    """The ratio of the times for twice and once the text; 1.0 where even the longest takes hardly any.

    What exceeds MAX_RATIO is measured again with more text: work that is quadratic still does, chance does not.
    """
    size, ratio = FIRST_SIZE, 1.0
    for _ in range(sizes):
        once = seconds(work, unit * (size // len(unit)))
        while once < ENOUGH_SECONDS and size < LAST_SIZE:
            size *= 2
            once = seconds(work, unit * (size // len(unit)))
        if once < ENOUGH_SECONDS:
            return 1.0
        ratio = _ratio(work, unit, size, once)
        if ratio <= MAX_RATIO or once > MAX_SECONDS:
            break
        size *= 2
    return ratio


def _ratio(work: Callable[[str], object], unit: str, size: int, once: float) -> float:
    twice = float("inf")
    for _ in range(ATTEMPTS):
        twice = min(twice, seconds(work, unit * (2 * size // len(unit))))
        if twice <= MAX_RATIO * once:
            break
        once = min(once, seconds(work, unit * (size // len(unit))))
    return twice / once


@pytest.mark.parametrize("name", WORK)
def test_work_on_hostile_text_is_linear(name):
    for unit in HOSTILE:
        assert growth(WORK[name], unit) <= MAX_RATIO, repr(unit)


@pytest.mark.parametrize(
    "work",
    [
        lambda text: [text.count("abc", start) for start in range(0, len(text), 20)],
        lambda text: [text[:end].split() for end in range(0, len(text), 100)],
    ],
    ids=["the rest is searched from each place", "the text is split up to each place"],
)
def test_quadratic_work_is_noticed(work):
    assert growth(work, "ab ", sizes=1) > MAX_RATIO
