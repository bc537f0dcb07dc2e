"""The short answer from a cell in a table of texts: where the row and the column named by the question meet."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rag.answer.cells.matching import Wording, wording_of
from rag.answer.figures.excerpt import excerpt_of
from rag.answer.figures.periods import periods_of
from rag.answer.phrases.kind import Kind, kind_of
from rag.answer.source_tables import PageTables, SourceTables
from rag.language import mainly_chinese
from rag.pdf.cells import parse_value
from rag.pdf.tables import Cell, Row, Table
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, ShortAnswer, Source

_ASKED: Final = frozenset(
    {Kind.NUMBER, Kind.MONEY, Kind.DURATION, Kind.DATE, Kind.PERCENT, Kind.PERSON, Kind.PLACE, Kind.THING, Kind.LIST}
)
_HOW_LOUD: Final = re.compile(r"^\W*how (?:loud|noisy|warm|quick)\b", re.IGNORECASE)  # others are of kind NUMBER
_NUMBER: Final = re.compile(
    r"\d|\b(?:none|no|one|two|three|four|five|six|seven|eight|nine|ten|free|unlimited)\b|[一二三四五六七八九十百千无]"
)
# Words of a company's name that name no thing: "corporation" is no business, "holding" owns nothing.
_LEGAL_FORMS: Final = re.compile(
    r"\b(?:incorporated|inc|corporation|corp|company|co|limited|ltd|llc|llp|plc|gmbh|holdings?)\b", re.IGNORECASE
)
_FITS: Final = {
    Kind.NUMBER: _NUMBER,
    Kind.MONEY: re.compile(r"[$£€¥￥]|\d\s?(?:元|p\b|c\b|[A-Z]{3}\b|kr\b)|\bfree\b|免费", re.IGNORECASE),
    Kind.DURATION: re.compile(
        r"(?:\d|\b(?:one|two|three|four|five|six)\b).{0,40}"
        r"(?:\b(?:years?|months?|weeks?|days?|hours?|min\w{0,6}|sec\w{0,6}|cycles)\b"
        r"|\d ?(?:h|s|d)\b|[年月天日周秒时分])|[一二三四五六七八九十].?[年月天日周秒时]",
        re.IGNORECASE,
    ),
    Kind.LIST: re.compile(r"[,;/、，；]|\band\b|和|及"),
    Kind.DATE: re.compile(
        r"\d|\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|daily|weekly)\b|[年月日每]"
        r"|(?:^|[-–,/(] ?)(?:mon|tue|wed|thu|fri|sat|sun)\b",
        re.IGNORECASE,
    ),
    Kind.PERCENT: re.compile(r"[%％]|百分之"),
    Kind.PERSON: re.compile(r"^\D+$"),
    Kind.PLACE: re.compile(r"^\D*[^\W\d]"),
}
_UNASKED: Final = 0.3  # cost of a label's word that the question lacks, relative to one that it has
_SOURCES: Final = 5  # first sources whose pages are searched
_MIN_SHARE: Final = 0.5  # share of the question that the cell's row, column, table and document must contain
_SURE_SHARE: Final = 0.7  # the same, from which on the cell is stated as the answer
_MARGIN: Final = 0.2  # by which it must exceed the next cell's score; a word of the question that a cell has counts 1
_UNSURE: Final = 0.35  # confidence in a cell that is a best guess, relative to that of phrases
_SIGN_ALONE: Final = re.compile(r"[$£€¥￥%—–-]")


@dataclass(frozen=True, slots=True)
class _Match:
    """A cell, and how well the question names it."""

    source: Source
    page: PageTables
    table: Table
    row: Row
    column: int
    score: float
    share: float  # share of the question that the row, its column, the table and its document contain

    @property
    def cell(self) -> Cell:
        """The cell."""
        cell = self.row.cells[self.column]
        assert cell is not None
        return cell


def short_cell(
    question: str,
    sources: Sequence[Source],
    on_pages: SourceTables,
    named: Mapping[str, Collection[str]],
) -> tuple[ShortAnswer, list[Evidence]] | None:
    """The short answer, and its row to quote; None if no cell is named, or several are as well.

    `named`: the documents that the question names, by id, and its terms that name them; only they are considered.
    """
    kind = Kind.NUMBER if _HOW_LOUD.match(question) else kind_of(question)
    wording = wording_of(question)
    if kind not in _ASKED or not wording.parts or periods_of(question):
        return None
    considered = [source for source in sources if source.document_id in named or not named][:_SOURCES]
    found = [
        match
        for source in considered
        for page in on_pages.texts_of(source)
        for table in page.tables
        if not _is_of_figures(table)
        for match in _matches(wording, kind, source, page, table, named.get(source.document_id, ()))
    ]
    if not found:
        return None
    found.sort(key=lambda match: -match.score)
    best = found[0]
    others = [match for match in found[1:] if match.cell.text != best.cell.text]
    if best.share < _MIN_SHARE or (others and others[0].score > best.score - _MARGIN):
        return None
    return _as_short(best)


def _is_of_figures(table: Table) -> bool:
    """Whether `rag.answer.figures` handles a table better: it has periods, or currency signs in their own columns."""
    cells = [cell.text for row in table.rows for cell in row.cells if cell]
    if any(_SIGN_ALONE.fullmatch(text) for text in cells):
        return True
    plain = sum(parse_value(text)[0] is not None for text in cells)
    dated = any(periods_of(text) for text in (*table.headers, table.caption))
    return dated and 2 * plain > len(cells)


def _matches(
    wording: Wording, kind: Kind, source: Source, page: PageTables, table: Table, name: Collection[str]
) -> Iterator[_Match]:
    """The cells of a table that a question may name, and that can be what it asks for.

    `name`: terms of the document's name, which do not name a row: in a list of subsidiaries each has them.
    """
    own = wording.held(" ".join(name))
    around = wording.held(" ".join((table.caption, source.document, *source.heading, source.text[:200])))
    headers = [wording.held(header) for header in table.headers]
    common = frozenset.intersection(*headers) if len(headers) > 1 else frozenset[int]()
    fits = _FITS.get(kind)
    for row in table.rows:
        label = wording.held(_LEGAL_FORMS.sub(" ", row.label))
        beside = [wording.held(cell.text) & wording.numbered if cell else frozenset[int]() for cell in row.cells]
        fitting = [n for n, cell in enumerate(row.cells) if cell and (fits is None or fits.search(cell.text))]
        for column in fitting:
            others = frozenset[int]().union(*(parts for n, parts in enumerate(beside) if n != column))
            named = headers[column] - common - label
            only_cell = len(fitting) == 1 and (label | others) - own
            if not label | others or not (named or only_cell):
                continue
            inside = label | others | headers[column]
            if not wording.numbered <= inside | around:
                continue
            score = wording.weight_of(inside) - _UNASKED * wording.unasked(row.label)
            score -= _UNASKED / 2 * wording.unasked(table.headers[column])
            share = wording.share(inside | around, chinese=mainly_chinese(source.text))
            yield _Match(source, page, table, row, column, score, share)


def _as_short(match: _Match) -> tuple[ShortAnswer, list[Evidence]]:
    place, moved = match.page.page, match.page.page.start - match.source.start
    labels = (match.row.label, match.table.headers[match.column])
    sure = match.share >= _SURE_SHARE
    short = ShortAnswer(
        values=(match.cell.text,),
        scale="",
        labels=tuple(label for label in labels if label),
        formula="",
        citations=(Citation(match.source.number, match.cell.start + moved, match.cell.end + moved),),
        table=excerpt_of(match.table, [match.cell]),
        confidence=match.share if sure else _UNSURE,
        sure=sure,
    )
    text = place.text[match.row.start : match.row.end]
    quoted = text in match.source.text
    return short, [Evidence(match.source.number, text, ANSWERABLE)] if quoted else []
