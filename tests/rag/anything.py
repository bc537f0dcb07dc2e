"""Strategies for hypothesis: pages, documents, and texts of the whole of Unicode among words that heuristics know."""

from __future__ import annotations

import hashlib
import re

import numpy as np
from hypothesis import strategies as st

from rag.pdf.child import WORD
from rag.pdf.lines import PageLayout, join_lines, lay_out
from rag.records import Heading, LoadedDocument, Page, PageKind

# Characters that have fooled text programs: case and compatibility forms of another length, marks, blanks, line ends.
ODD = list(
    "#İıſßŉﬁﬃ\u0300\u1ab0\u0e33\u200b\u200f\u202e\ufe0f\u2028\x85\0\x1c\xa0\u3000\ufffe\ue000②½Ⅳ٣୩൰一十百万亿々〇"
)
KNOWN = (
    "Revenue|revenues|Total|total assets|Net income (loss)|2018|2017|FY2019|$1,577|(912)|12.5%|million|—|-|.|"
    "1.|(a)|•|#|1|iv|- 12 -|CEO|John B. Smith, Jr.|Acme Inc.|was|not|no|increased|decreased by|because|than|and|of|the|"
    "What is|How many|Who|When|Why|Compare|Summarize|[1]|[1, 2]|【1】|“|”|(|)|（|）|：|;|。|？|?|!|**|`|```|<b>|"
    "合计|净利润|营业收入|2018年|3.5亿元|万元|是多少|谁|为什么|什么|第一|同比增长|不|合同编号|股份有限公司|３６|１２％"
).split("|")


def texts(max_size: int = 25, *, lines: bool = True, surrogates: bool = False) -> st.SearchStrategy[str]:
    """Texts of up to `max_size` pieces: known words, odd characters, anything; `surrogates`: lone ones, too."""
    categories = ("Cs",) if not surrogates else ()
    anything = st.text(st.characters(exclude_categories=categories), max_size=6)
    piece = st.one_of(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.sampled_from(ODD), anything)
    space = st.sampled_from([" ", " ", " ", "", "\n" if lines else " "])
    return st.lists(st.tuples(piece, space), max_size=max_size).map(lambda parts: "".join(map("".join, parts)))


coordinates = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.floats(0, 1, width=32))


@st.composite
def layouts(draw: st.DrawFn) -> PageLayout:
    """A page as the PDF worker sends it: words in rows and columns, or anywhere."""
    text = draw(texts(40))
    spans = np.array([found.span() for found in WORD.finditer(text)], np.int32).reshape(-1, 2)
    if draw(st.booleans()):
        columns = draw(st.integers(1, 6))
        number = np.arange(len(spans))
        left, top = number % columns / columns, number // columns / max(len(spans) / columns, 50)
        boxes = np.stack([left, top, left + 0.8 / columns, top + 0.015], axis=1)
    else:
        corners = draw(st.lists(st.tuples(*[coordinates] * 4), min_size=len(spans), max_size=len(spans)))
        boxes = np.sort(np.array(corners, np.float32).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    width, height = draw(st.sampled_from([(612.0, 792.0), (1.0, 5_000.0), (0.01, 0.01)]))
    return lay_out(text, spans, np.clip(boxes, 0, 1).astype(np.float32), width, height)


def page_of(number: int, layout: PageLayout, *, flows_on: bool = False) -> Page:
    """The page that a layout makes."""
    text, words = join_lines(layout, set()) if layout.lines else ("", layout_words(layout))
    furniture = "\n".join(layout.furniture)
    return Page(number, str(number + 1), PageKind.TEXT, text, words, 612, 792, furniture=furniture, flows_on=flows_on)


def layout_words(layout: PageLayout):
    """No words."""
    return join_lines(layout, set())[1]


@st.composite
def documents(draw: st.DrawFn) -> LoadedDocument:
    """A document of a few pages with an outline."""
    pages = [page_of(n, draw(layouts()), flows_on=draw(st.booleans())) for n in range(draw(st.integers(1, 3)))]
    entries = draw(st.lists(st.tuples(texts(3, lines=False), st.integers(1, 4), st.integers(0, 2)), max_size=3))
    titles = [(re.sub(r"\s+", " ", title).strip(), level, page) for title, level, page in entries]
    outline = [Heading(title, level, page) for title, level, page in titles if title and page < len(pages)]
    return LoadedDocument(tuple(pages), outline=tuple(outline), title=draw(texts(3, lines=False)))


def digest(document: LoadedDocument) -> bytes:
    """Bytes that stand for a document's file."""
    return b"%PDF-1.7 " + hashlib.sha256(repr((document.pages, document.title)).encode("utf-8", "replace")).digest()
