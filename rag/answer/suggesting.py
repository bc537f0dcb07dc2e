"""Questions that may be asked next: the change, its reason, another row or year, another document. Calls no model.

They follow on a question about one figure of one year. Each is tried with the finders of answers, over the same
documents, and suggested only if that gives a sure answer, which is the one meant.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from rag.answer.answering import Answerer
from rag.answer.asked import Asked, Retrieved
from rag.answer.figures.periods import years_of
from rag.answer.introduction.candidates import ASKED_FIRST, MEASURE, bare_label, is_label, lowered, verb_for
from rag.answer.own_name import COVER_CHARACTERS, company_on_cover
from rag.language import mainly_chinese
from rag.pdf.table import Row, Table
from rag.records import Document, ShortAnswer, Source, TableExcerpt

MAX_FOLLOW_UPS: Final = 4
MAX_QUESTION_CHARACTERS: Final = 300  # of a question that others are made from
MAX_ROWS: Final = 6  # of a table, that are tried
_YEAR: Final = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?!\d|[.,]\d)")
# "What was the revenue of 3M in 2018?"
_WHAT_WAS: Final = re.compile(
    r"(?:what|how much) (?:was|were|is|are) (?P<what>[^?]{3,200}?) (?:in|for) (?:the )?(?:fiscal |FY ?)?(?:year )?"
    r"(?P<year>(?:19|20)\d\d)\s*\?",
    re.IGNORECASE,
)
_OWNER_FIRST: Final = re.compile(r"(?:the )?(?P<who>[A-Z0-9][^?]{0,60}?)(?:['’]s|(?<=s)['’]) (?P<item>[^?]+)")
_OWNER_LAST: Final = re.compile(r"(?P<item>[^?]+) (?P<by>of|for|at) (?P<who>(?:the )?[A-Z0-9][^?]{0,60})")
# "3M 2018年的资本支出是多少？"
_CHINESE: Final = re.compile(
    r"(?P<head>[^，。？?]{0,60}?(?:19|20)\d\d\s?年)(?P<item>[^，。？?]{2,30}?)(?P<ask>是多少|为多少|有多少|多少)[^？?]{0,4}[？?]?"
)
MAX_SECONDS: Final = 3.0  # for trying questions: the answer only counts as complete afterwards
MAX_OTHERS: Final = 6  # documents that are asked the same
_PART: Final = re.compile(r"[\W_]+")
_BEFORE_FIGURE: Final = (
    r"\s{0,3}(?:(?:in|for|during) (?:fiscal )?(?:year )?\d{4}, )?"
    r"(?:the (?:\d{1,3}(?:\.\d)? ?(?:percent|%) )?"
    r"(?:increase|decrease|decline|growth|change|reduction|improvement) in )?"
    r"(?:(?:our|the|total|consolidated|overall|net|reported|company[’']s) ){0,4}"
)
_AFTER_FIGURE: Final = (
    r",? (?:\(\w+\) )?(?:margins?|rates?|before|from|of|attributable|per|and|as|measured|in (?!fiscal|\d{4}))"
)


@dataclass(frozen=True, slots=True)
class Finders:
    """Tries questions, to see whether they have a sure answer."""

    figure: Callable[[str], ShortAnswer | None]  # the figure that answers, from the same documents
    table: Callable[[ShortAnswer], Table | None] = lambda short: None  # the whole table that a figure stands in
    # Whether a document states the reason asked for, about the figure with one of these names.
    is_explained: Callable[[str, Collection[str]], bool] = lambda question, names: False
    elsewhere: Callable[[], Iterator[str]] = lambda: iter(())  # the same question of other documents that answer it


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question about one figure, and where its answer stands."""

    question: str
    year: str
    first: TableExcerpt
    cells: dict[int, str]  # of the same row, by the year of their column


def follow_ups(question: str, finders: Finders) -> tuple[str, ...]:
    """At most `MAX_FOLLOW_UPS` questions that follow a complete question about one figure of one year."""
    years = _YEAR.findall(question)
    if len(question) > MAX_QUESTION_CHARACTERS or len(years) != 1:
        return ()
    short = finders.figure(question)
    if short is None or short.table is None or not short.sure or short.formula:
        return ()
    if (cells := _other_years(short.table, int(years[0]))) is None:
        return ()
    asked = _Asked(question, years[0], short.table, cells)
    table = finders.table(short)
    kinds = (
        _change(asked, finders),
        _reason(asked, table, finders),
        _rows(asked, table, finders),
        finders.elsewhere(),
        _years(asked, finders),
    )
    return tuple(islice(_in_turn(*kinds), MAX_FOLLOW_UPS))


def _in_turn(*kinds: Iterator[str]) -> Iterator[str]:
    """The first of each kind, then the second of each; each is tried only when its turn comes."""
    left = list(kinds)
    while left:
        for kind in tuple(left):
            candidate = next(kind, None)
            if candidate is None:
                left.remove(kind)
            else:
                yield candidate


def _change(asked: _Asked, finders: Finders) -> Iterator[str]:
    """By how much the figure changed from the year before in the table."""
    before = max((other for other in asked.cells if other < int(asked.year)), default=None)
    what_was = _WHAT_WAS.fullmatch(asked.question.strip())
    if before is None or what_was is None:
        return
    candidate = f"By how much did {what_was['what']} change from {before} to {asked.year}?"
    found = finders.figure(candidate)
    if found is not None and found.sure and found.table is not None and found.formula:
        yield candidate


def _years(asked: _Asked, finders: Finders) -> Iterator[str]:
    """The same in another year, the nearest first."""
    for other, cell in sorted(asked.cells.items(), key=lambda item: abs(item[0] - int(asked.year))):
        candidate = _YEAR.sub(str(other), asked.question)
        if _answers(finders.figure(candidate), cell):
            yield candidate


def _reason(asked: _Asked, table: Table | None, finders: Finders) -> Iterator[str]:
    """Why the figure rose or fell, if a document says so. Only in English, like the reasons that are found."""
    what_was, row = _WHAT_WAS.fullmatch(asked.question.strip()), _row_asked_for(asked, table) if table else None
    if what_was is None or table is None or row is None:
        return
    columns, year = _columns(table), int(asked.year)
    old, new = (_value(row, columns.get(one)) for one in (year - 1, year))
    if old is None or new is None or old * new <= 0 or old == new:
        return
    candidate = f"Why did {what_was['what']} {'increase' if abs(new) > abs(old) else 'decrease'} in {asked.year}?"
    if finders.is_explained(candidate, _names(what_was["what"], row)):
        yield candidate


def _names(what: str, row: Row) -> frozenset[str]:
    """What the figure is called, in the question and in the table."""
    owner = _OWNER_FIRST.fullmatch(what) or _OWNER_LAST.fullmatch(what)
    item = owner["item"] if owner else what
    names = (item, bare_label(row))
    return frozenset(re.sub(r"^(?:the|total) ", "", name, flags=re.IGNORECASE).lower() for name in names)


def _rows(asked: _Asked, table: Table | None, finders: Finders) -> Iterator[str]:
    """Another row of the same table in the same year: first those that people ask for, then the nearest."""
    row = _row_asked_for(asked, table) if table else None
    if table is None or row is None:
        return
    at, column = table.rows.index(row), _columns(table)[int(asked.year)]
    ranked = sorted(
        (not ASKED_FIRST.search(other.label), abs(number - at), number)
        for number, other in enumerate(table.rows)
        if other is not row and _can_be_asked(other, column, row)
    )
    for _, _, number in ranked[:MAX_ROWS]:
        other = table.rows[number]
        candidate, cell = _with_label(asked.question, bare_label(other)), other.cells[column]
        if candidate and cell and _answers(finders.figure(candidate), cell.text, other.label):
            yield candidate


def _can_be_asked(row: Row, column: int, asked: Row) -> bool:
    label = bare_label(row)
    return (
        row.section == asked.section
        and label.casefold() != bare_label(asked).casefold()
        and is_label(label)
        and MEASURE.search(label) is not None
        and _value(row, column) is not None
    )


def _with_label(question: str, label: str) -> str:
    """The question for another row of the table; "" if its wording cannot be changed that way."""
    chinese = _CHINESE.fullmatch(question.strip())
    if chinese and mainly_chinese(label) and mainly_chinese(chinese["item"]):
        return f"{chinese['head']}的{label}{chinese['ask']}？"
    what_was = _WHAT_WAS.fullmatch(question.strip())
    if what_was is None or mainly_chinese(label):
        return ""
    label = label.removesuffix(", net")  # "the inventories, net of 3M" would be misread
    what, words, verb = what_was["what"], lowered(label), verb_for(label)
    if owner := _OWNER_FIRST.fullmatch(what):
        who = what[: owner.start("item")].strip()
        return f"What {verb} {who} {words} in {what_was['year']}?"
    if owner := _OWNER_LAST.fullmatch(what):
        return f"What {verb} the {words} {owner['by']} {owner['who']} in {what_was['year']}?"
    return f"What {verb} {words} in {what_was['year']}?"


def _row_asked_for(asked: _Asked, table: Table) -> Row | None:
    """The row of the whole table that holds the answer."""
    (row, column), columns = asked.first.marked[0], _columns(table)
    label, cell = asked.first.rows[row][0], asked.first.rows[row][column + 1]
    at = columns.get(int(asked.year))
    if at is None:
        return None
    return next((one for one in table.rows if one.label == label and same_cell(_text(one, at), cell)), None)


def _columns(table: Table | TableExcerpt) -> dict[int, int]:
    """The columns whose headers name one year that no other names, by year."""
    years = [years_of(header) for header in table.headers]
    return {next(iter(one)): at for at, one in enumerate(years) if len(one) == 1 and years.count(one) == 1}


def _value(row: Row, column: int | None) -> float | None:
    cell = row.cells[column] if column is not None and column < len(row.cells) else None
    return cell.value if cell else None


def same_cell(one: str, other: str) -> bool:
    """Whether two cells are printed the same, ignoring white space: "$ 14,694" is "$14,694"."""
    return "".join(one.split()) == "".join(other.split())


def _text(row: Row, column: int) -> str:
    cell = row.cells[column] if column < len(row.cells) else None
    return cell.text if cell else ""


def _other_years(table: TableExcerpt, year: int) -> dict[int, str] | None:
    """The cells beside the one that answers, by the year of their column; None if the columns are not years."""
    if len(table.marked) != 1:
        return None
    row, column = table.marked[0]
    if column >= len(table.headers) or years_of(table.headers[column]) != {year}:
        return None
    cells = dict(enumerate(table.rows[row][1:]))
    others = {other: cells.get(at, "") for other, at in _columns(table).items() if other != year}
    return {other: cell for other, cell in others.items() if any(map(str.isdigit, cell))}


def _answers(found: ShortAnswer | None, cell: str, label: str = "") -> bool:
    """Whether a sure answer is this cell, of the row with this label if one is given."""
    if found is None or not found.sure or found.table is None:
        return False
    rows = found.table.rows
    return any(
        same_cell(rows[row][column + 1], cell) and label in ("", rows[row][0]) for row, column in found.table.marked
    )


def suggest(
    answerer: Answerer, asked: Asked, sources: tuple[Source, ...], may_go_on: Callable[[], bool] = lambda: True
) -> tuple[str, ...]:
    """Questions to ask next, given a complete question and its sources; often none.

    None is tried after MAX_SECONDS, or once `may_go_on` says no.
    """
    if not may_go_on():
        return ()
    found = answerer.again(asked, sources)
    if found.asks_why:
        return ()
    end = time.monotonic() + MAX_SECONDS

    def in_time() -> bool:
        return time.monotonic() < end and may_go_on()

    tried: dict[str, tuple[ShortAnswer, tuple[Source, ...]] | None] = {}

    def figure(question: str) -> ShortAnswer | None:
        if question not in tried and in_time():
            tried[question] = answerer.figure(asked, replace(found, queries=(question,)))
        answer = tried.get(question)
        return answer[0] if answer else None

    def table(short: ShortAnswer) -> Table | None:
        given = next((answer for answer in tried.values() if answer and answer[0] is short), None)
        return _table_of(short, given[1], found) if given else None

    def is_explained(question: str, names: Collection[str]) -> bool:
        fact = answerer.fact(asked, replace(found, queries=(question,))) if in_time() else None
        return fact is not None and fact.short.sure and any(is_about(row.text, names) for row in fact.rows)

    return follow_ups(
        asked.question, Finders(figure, table, is_explained, lambda: _elsewhere(answerer, asked, found, in_time))
    )


def is_about(sentence: str, names: Collection[str]) -> bool:
    """Whether a sentence that gives a reason starts with the figure itself, rather than with a part or ratio of it."""
    figure = "|".join(re.escape(name) for name in names)
    return re.match(rf"{_BEFORE_FIGURE}(?:{figure})(?!{_AFTER_FIGURE})\b", sentence, re.IGNORECASE) is not None


def _table_of(short: ShortAnswer, sources: tuple[Source, ...], found: Retrieved) -> Table | None:
    """The whole table that a figure stands in."""
    if short.table is None or not short.table.marked:
        return None
    row, _ = short.table.marked[0]
    label, cells = short.table.rows[row][0], [cell for cell in short.table.rows[row][1:] if cell]
    cited = {citation.number for citation in short.citations}
    for source in sources:
        for page in found.tables.of(source) if source.number in cited else ():
            for table in page.tables:
                for one in table.rows:
                    texts = [cell.text for cell in one.cells if cell]
                    if one.label == label and all(any(same_cell(text, cell) for text in texts) for cell in cells):
                        return table
    return None


def _elsewhere(answerer: Answerer, asked: Asked, found: Retrieved, in_time: Callable[[], bool]) -> Iterator[str]:
    """The same question about other documents in scope, each of another company, that have a sure answer.

    None is tried once it is not `in_time`.
    """
    written = _as_written(asked.question, {term for terms in found.named.values() for term in terms})
    if not written:
        return
    seen = {written.casefold()}
    others = [
        document
        for document in answerer.store.documents(asked.scope.owner)
        if document.id not in found.named and asked.scope.allows((document.owner, document.id))
    ]
    for document in sorted(others, key=lambda one: not _is_alike(one, found))[:MAX_OTHERS]:
        _, cover = answerer.store.page_text(document.owner, document.id, 0)
        name = company_on_cover(document.name, cover[:COVER_CHARACTERS])
        if not in_time():
            return
        if not name or name.casefold() in seen:
            continue
        seen.add(name.casefold())
        candidate = replace(asked, question=asked.question.replace(written, name))
        again = answerer.again(candidate, ())
        answer = answerer.figure(candidate, again) if document.id in again.named else None
        if answer and answer[0].sure and _is_from(answer, {document.id}):
            yield candidate.question


def _is_from(answer: tuple[ShortAnswer, tuple[Source, ...]], documents: Collection[str]) -> bool:
    """Whether a figure stands in one of these documents."""
    cited = {citation.number for citation in answer[0].citations}
    return bool(cited) and all(source.document_id in documents for source in answer[1] if source.number in cited)


def _is_alike(document: Document, found: Retrieved) -> bool:
    """Whether the year or other number in a document's name is also in the names of those asked about."""
    numbers = {part for source in found.sources for part in _PART.split(source.document) if part.isdigit()}
    return bool(numbers & set(_PART.split(document.name)))


def _as_written(question: str, terms: set[str]) -> str:
    """The name of the document as written in the question; "" if it is not there exactly once."""
    if not terms:
        return ""
    one = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    places = list(re.finditer(rf"(?<!\w)(?:{one})(?:[\s&.-]{{1,3}}(?:{one}))*(?!\w)", question, re.IGNORECASE))
    return places[0].group() if len(places) == 1 else ""
