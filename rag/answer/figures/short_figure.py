"""The short answer to a question about a figure: the value that comes first, from the tables on the sources' pages.

If the question names documents, only those are searched. If in doubt, there is no short answer: the sentences of the
sources are then the whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from rag.answer.figures.excerpt import as_printed, excerpt_of
from rag.answer.figures.figure import Figure, FigureAnswer, plain_number, printed_answer
from rag.answer.figures.lookup import FigureFinder
from rag.answer.figures.periods import years_of
from rag.answer.figures.question import Operation, asks_for_difference, asks_for_smallest, operation_of
from rag.answer.metrics.fiscal_years import ends_early
from rag.answer.metrics.wording import with_net_income
from rag.answer.scales import FACTORS
from rag.answer.source_tables import SourceTables
from rag.index.tokenize import terms
from rag.pdf.tables import Table
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, ShortAnswer, Source
from rag.settings import FigureSettings
from rag.store.rows import StoredPage

MAX_QUESTION = 1_000  # characters; a longer one asks for more than a figure
_NO_FIGURE = re.compile(
    r"^\W*(?:who|whom|whose|why|where|when|is|are|was|were|does|do|did|has|have|had|can|could|should|will|would|explain"
    r"|describe|summari[sz]e|tell|how(?! (?:much|many|high|low|large|long|did|has|have)))\b|^(?:谁|为什么|哪里|何时)",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\bhow (?:much|many|high|low|large|did|has|have)\b"
    r"|\b(?:amount|number|value|total|percent\w*|rate|price|costs?|worth|was|were)\b|多少|几|总[额计]|金额|[额率]是",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"^\W*(?:did|does|do|is|was|are|were|has|have|had)\b.{1,200}"
    r"\bor\b.{1,200}\b(?:higher|larger|greater|more|bigger|lower|smaller|less|fewer)\b",
    re.IGNORECASE,
)
MAX_QUESTION_CHARACTERS = 500  # of a question that asks for a figure; some patterns take quadratic time
COMPARED_COMPANIES = 2
MAX_CELLS = 100  # that an answer may rest on


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table stands."""

    source: Source
    page: StoredPage


def asks_for_figure(question: str) -> bool:
    """Whether the question asks for a value, or for something to be computed or counted."""
    if len(question) > MAX_QUESTION_CHARACTERS:
        return False
    if _NO_FIGURE.search(question) and not _COMPARED.search(question):
        return False
    return operation_of(question) is not Operation.LOOKUP or bool(years_of(question) or _FIGURE.search(question))


def short_figure(
    question: str,
    sources: Sequence[Source],
    on_pages: SourceTables,
    named: Mapping[str, Collection[str]],
    settings: FigureSettings,
) -> tuple[ShortAnswer, list[Evidence]] | None:
    """The short answer, and the rows it is based on as evidence to quote; None if no table answers.

    `on_pages`: the tables on the sources' pages. `named`: the documents that the question names, by id, and its terms
    that name them; only they are considered.
    """
    question = " ".join(question.split())  # a pattern's end of the question is never at a line break
    if len(question) > MAX_QUESTION or not asks_for_figure(question):
        return None
    considered = [source for source in sources if source.document_id in named or not named]
    tables, places = _tables(considered, on_pages)
    early = [ends_early((*table.headers, table.caption)) for table in tables]
    offsets = [on_pages.fiscal_offset(one.source) if any_ else None for one, any_ in zip(places, early, strict=True)]
    answer = _compared(question, tables, places, offsets, named, settings)
    if answer is None:
        known = set[str]().union(*named.values())
        finder = FigureFinder(tables, settings, known, offsets)
        readings = dict.fromkeys((question, with_net_income(question)))
        found = [answer for reading in readings if (answer := finder.answer(reading))]
        answer = max(found, key=lambda one: one.confidence, default=None)
    if answer is None or not answer.texts or not 1 <= len(answer.figures) <= MAX_CELLS:
        return None
    if answer.confidence < settings.hand_over_confidence:
        return None
    return _as_short_answer(answer, tables, places, settings), _rows(answer, places)


def _compared(
    question: str,
    tables: Sequence[Table],
    places: Sequence[_Place],
    offsets: Sequence[int | None],
    named: Mapping[str, Collection[str]],
    settings: FigureSettings,
) -> FigureAnswer | None:
    """The answer to a question that names two companies, from the tables of each; None for other questions."""
    groups = document_groups(named)
    if len(groups) != COMPARED_COMPANIES:
        return None
    known = set[str]().union(*named.values())
    figures, confidence = [], 1.0
    for _, documents in groups:
        numbers = [n for n, place in enumerate(places) if place.source.document_id in documents]
        finder = FigureFinder([tables[n] for n in numbers], settings, known, [offsets[n] for n in numbers])
        found = finder.value(question)
        if found is None:
            return None
        figures.append(replace(found.figures[0], table=numbers[found.figures[0].table]))
        confidence = min(confidence, found.confidence)
    answer = compared(question, [names for names, _ in groups], figures)
    return replace(answer, confidence=confidence) if answer else None


def _tables(sources: Sequence[Source], on_pages: SourceTables) -> tuple[list[Table], list[_Place]]:
    """The tables on the sources' pages, each page once, best source first."""
    tables: list[Table] = []
    places: list[_Place] = []
    seen: set[tuple[str, int]] = set()
    for source in sources:
        for on_page in on_pages.of(source):
            place = (source.document_id, on_page.page.number)
            if place not in seen:
                seen.add(place)
                tables += on_page.tables
                places += [_Place(source, on_page.page)] * len(on_page.tables)
    return tables, places


def _as_short_answer(
    answer: FigureAnswer, tables: Sequence[Table], places: Sequence[_Place], settings: FigureSettings
) -> ShortAnswer:
    first = answer.figures[0]
    cells = [figure.cell for figure in answer.figures if figure.table == first.table]
    labels = (first.row.label or first.row.section, "" if len(answer.figures) > 1 else first.header)
    return ShortAnswer(
        values=tuple(map(as_printed, answer.texts)),
        scale=answer.scale,
        labels=tuple(label for label in labels if label),
        formula=answer.formula,
        citations=tuple(_citation(figure, places[figure.table]) for figure in answer.figures),
        table=excerpt_of(tables[first.table], cells),
        confidence=answer.confidence,
        sure=answer.confidence >= settings.min_confidence,
        names=answer.names,
    )


def _citation(figure: Figure, place: _Place) -> Citation:
    """The cell. Its span is relative to the source's start and may lie outside the source's text, on the same page."""
    moved = place.page.start - place.source.start
    return Citation(place.source.number, figure.cell.start + moved, figure.cell.end + moved)


def _rows(answer: FigureAnswer, places: Sequence[_Place]) -> list[Evidence]:
    """The rows that the answer rests on, word for word, each once; those outside the source's text are left out."""
    rows: dict[str, Evidence] = {}
    for figure in answer.figures:
        place = places[figure.table]
        text = place.page.text[figure.row.start : figure.row.end]
        if text in place.source.text:
            rows.setdefault(text, Evidence(place.source.number, text, ANSWERABLE))
    return list(rows.values())


# ---- a figure of one document compared with that of another: the difference, which is higher, or both


_WHICH = re.compile(
    r"\bwhich\b|\bwhose\b|\b(?:did|does|do|is|was|are|were|has|have|had) .{1,80}\bor\b"
    r"|\b(?:higher|larger|greater|more|bigger|lower|smaller|less|fewer)\b.{0,80}\bor\b|谁|哪[个家]|更[高大多低小少]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s,，。?？、]+")
_POSSESSIVE = re.compile(r"['’]s?$")


def document_groups(named: Mapping[str, Collection[str]]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """For each company named, the terms that name it, and the ids of its documents."""
    groups: dict[frozenset[str], set[str]] = {}
    for document, names in named.items():
        # The reports of one company, in whose names a year may stand.
        words = frozenset(name for name in names if not name.isdigit())
        groups.setdefault(words, set()).add(document)
    return [(names, frozenset(documents)) for names, documents in groups.items() if names]


def compared(question: str, names: Sequence[frozenset[str]], figures: Sequence[Figure]) -> FigureAnswer | None:
    """The answer from the same figure of two companies, in the order of `names`; None if units do not compare."""
    first, second = figures
    if (first.scale == "percent") != (second.scale == "percent"):
        return None
    a, b = first.amount, second.amount * FACTORS.get(second.scale, 1.0) / FACTORS.get(first.scale, 1.0)
    if asks_for_difference(question):
        high, low = max(a, b), min(a, b)
        text = f"{high - low:,.2f}".rstrip("0").rstrip(".")
        formula = f"{plain_number(high)} − {plain_number(low)}"
        return FigureAnswer((text,), first.scale, (first, second), formula, Operation.CHANGE)
    if _WHICH.search(question):
        chosen = names[(a < b) != asks_for_smallest(question)]
        sign = ">" if a > b else "<" if a < b else "="
        formula = f"{plain_number(a)} {sign} {plain_number(b)}"
        return FigureAnswer((_written(question, chosen),), "", (first, second), formula, Operation.WHICH)
    return printed_answer(figures, Operation.SERIES) if first.scale == second.scale else None


def _written(question: str, names: frozenset[str]) -> str:
    """The name of a company as written in the question."""
    words = (_POSSESSIVE.sub("", word) for word in _WORD.findall(question))
    return " ".join(word for word in words if not names.isdisjoint(terms(word)))
