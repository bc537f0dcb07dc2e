"""The short answer to a question about an item of accounts or a metric, from the statements of its document.

There is none if a word of the question, the document, the year, the row or the scale is in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rag.answer.document_answer import DocumentAnswer, cited_first, page_source
from rag.answer.figures.excerpt import as_printed
from rag.answer.metrics.compute import FACTORS_OF_STATEMENTS, Accounts, Calculation, Used, Value, distinct
from rag.answer.metrics.documents import MAX_DOCUMENTS, Named, StatementFinder
from rag.answer.metrics.formula import Name
from rag.answer.metrics.question import understand
from rag.answer.metrics.statements import normalized
from rag.answer.metrics.vocabulary import Unit, vocabulary
from rag.answer.metrics.wording import OF_ONE_YEAR, Comparison, Operation, Request
from rag.answer.metrics.written import Result, average, change, decision, each_of, growth, printed, series, yes_or_no
from rag.index.protocols import Scope
from rag.language import mainly_chinese
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, Document, ShortAnswer, Source, TableExcerpt
from rag.store.rows import StoredPage

_PERIOD = re.compile(
    r"(?:(?:fiscal(?: years?)?|FY|years? ended|as of|at)\s*)?(?:[A-Z][a-z]{2,8}\.? \d{1,2}, ?)?(?:19"
    r"|20)\d\d(?:年(?:\d{1,2}月\d{1,2}日|度)?)?",
    re.IGNORECASE,
)


def short_metric(
    finder: StatementFinder, scope: Scope, question: str, sources: Sequence[Source]
) -> DocumentAnswer | None:
    """The answer from the statements of the documents that the question means; None if anything is in doubt."""
    request = understand(question, vocabulary())
    if request is None:
        return None
    chinese = mainly_chinese(question)
    documents = finder.documents(request.company, scope, sources)[:MAX_DOCUMENTS]
    if documents:
        result = _of_one_company(request, finder, documents, chinese=chinese)
    else:
        sides = finder.sides(request.company, scope) if request.comparison is not Comparison.NONE else ()
        documents = [document for side in sides for document in side.documents]
        result = _of_two_companies(request, finder, sides, chinese=chinese)
    if result is None or not result.used:
        return None
    return _answer(request, result, {document.id: document for document in documents}, sources)


def unreported(finder: StatementFinder, scope: Scope, question: str, sources: Sequence[Source]) -> tuple[str, ...]:
    """What a question about accounts asks for years that no statement of the company covers: "operating income 2021".

    () if the question, its documents or their statements are not understood.
    """
    request = understand(question, vocabulary())
    if request is None or not request.company:
        return ()
    documents = finder.documents(request.company, scope, sources)[:MAX_DOCUMENTS]
    statements = [found for document in documents for found in finder.accounts(document).statements.values()]
    known = {year for found in statements for year in (*found.years, *(year - found.offset for year in found.years))}
    return tuple(f"{request.name} {year}" for year in request.years if year not in known) if known else ()


def _of_one_company(
    request: Request, finder: StatementFinder, documents: Sequence[Document], *, chinese: bool
) -> Result | None:
    if request.comparison is not Comparison.NONE and request.operation in (Operation.VALUE, Operation.SERIES):
        return None  # what it is compared with is not understood
    for accounts in _by_relevance(finder, documents, request):
        if (result := _computed(request, accounts, chinese=chinese)) is not None:
            return result
    return None


def _of_two_companies(
    request: Request, finder: StatementFinder, sides: Sequence[Named], *, chinese: bool
) -> Result | None:
    found: list[Side] = []
    for side in sides:
        for accounts in _by_relevance(finder, side.documents[:MAX_DOCUMENTS], request):
            calculation = Calculation(accounts, vocabulary(), normalized(request.name))
            year = max(request.years, default=accounts[0].newest)
            if (value := calculation.value(request.formula, year)) is not None:
                found.append(Side(side.name, value, calculation))
                break
    return compared(request, found[0], found[1], chinese=chinese) if len(found) == 2 else None


def _by_relevance(finder: StatementFinder, documents: Sequence[Document], request: Request) -> Iterator[list[Accounts]]:
    """The accounts of a company, each report first in turn: the one on the year asked for, then the newest."""
    asked = max(request.years, default=0)
    having = [one for document in documents if (one := finder.accounts(document)).statements]
    having.sort(key=lambda one: (one.newest != asked, abs(one.newest - asked) if asked else -one.newest))
    for first in having:
        yield [first, *(one for one in having if one is not first)]


def _computed(request: Request, accounts: Sequence[Accounts], *, chinese: bool) -> Result | None:
    calculation = Calculation(accounts, vocabulary(), normalized(request.name))
    newest = accounts[0].newest
    years = request.years or ((newest,) if request.operation in OF_ONE_YEAR else (newest - 1, newest))
    if request.ends_early:
        years = tuple(year + accounts[0].offset for year in years)
    values = [value for year in years if (value := calculation.value(request.formula, year)) is not None]
    if len(values) != len(years):
        return None
    money = calculation.scale or "", calculation.currency
    names = list(map(str, years))
    match request.operation:
        case Operation.VALUE:
            return printed(request, values[-1], money)
        case Operation.SERIES:
            return series(request, values, names, money)
        case Operation.AVERAGE:
            return average(request, values, money)
        case Operation.GROWTH | Operation.CAGR:
            return growth(request, values, years)
        case Operation.CHANGE:
            return change(request, values, names, money, chinese=chinese)
        case _:
            return decision(request, values, names, chinese=chinese)


# ---- the answer with its citations


def _answer(
    request: Request, result: Result, documents: dict[str, Document], sources: Sequence[Source]
) -> DocumentAnswer:
    ordered = with_pages(result.used, documents, sources)
    citations: dict[Citation, None] = {}
    rows: dict[str, Evidence] = {}
    for used in result.used:
        source, start = place_of(used, ordered)
        citations[Citation(source.number, start + used.cell.start, start + used.cell.end)] = None
        text = page_of(used).text[used.row.start : used.row.end]
        if text in source.text:
            rows.setdefault(text, Evidence(source.number, text, ANSWERABLE))
    # A year that is named by its last day is in no doubt.
    doubtful = bool(request.years) and not request.ends_early and any(one.statement.doubtful for one in result.used)
    short = ShortAnswer(
        values=result.texts,
        scale=result.scale,
        labels=tuple(filter(None, _labels(request, result))),
        formula=result.formula,
        citations=tuple(citations),
        table=rows_of(result.used),
        sure=not doubtful,
        names=result.names,
    )
    return DocumentAnswer(short, list(rows.values()), tuple(ordered))


def _labels(request: Request, result: Result) -> tuple[str, str]:
    first = result.used[0]
    if isinstance(request.formula, Name) and len(result.used) == 1:
        header = first.statement.headers.get(first.year, "")
        found = _PERIOD.findall(header)
        return first.row.label, found[-1] if found else str(first.year)
    name = request.name[:1].upper() + request.name[1:]
    years = request.years or (first.year,)
    if len({one.document for one in result.used}) > 1 and request.comparison is not Comparison.NONE:
        years = years[-1:]
    return name, str(years[-1]) if len(years) == 1 else f"{years[0]}–{years[-1]}"


# ---- a figure of one company compared with that of another: the difference, which is higher, or whether it is


@dataclass(frozen=True, slots=True)
class Side:
    """One of two companies: its name, its figure, and the calculation that gave it."""

    name: str
    value: Value
    calculation: Calculation


def compared(request: Request, first: Side, second: Side, *, chinese: bool) -> Result | None:
    """What the question asks of two figures; None for different currencies, or a scale that is not known."""
    sides = _in_one_scale(request, first, second)
    if sides is None:
        return None
    one, other = sides
    values, names = (other.value, one.value), (other.name, one.name)
    used = distinct(one.value.used + other.value.used)
    higher = one if one.value.amount > other.value.amount else other
    if one.value.amount == other.value.amount:
        return None
    match request.comparison:
        case Comparison.DIFFERENCE:
            money = one.calculation.scale or "", one.calculation.currency
            asked = replace(request, operation=Operation.CHANGE)
            positive = (values, names) if request.wants != "down" else (values[::-1], names[::-1])
            return change(asked, *positive, money, chinese=chinese)
        case Comparison.WHICH:
            chosen = higher if request.wants != "down" else (one if higher is other else other)
            return Result((chosen.name,), "", each_of(request, values, names), used)
        case _:
            yes = (higher is one) == (request.wants != "down")
            return Result((yes_or_no(yes, chinese=chinese),), "", each_of(request, values, names), used)


def _in_one_scale(request: Request, first: Side, second: Side) -> Sequence[Side] | None:
    """Both figures in the scale of the first."""
    if request.unit not in (Unit.MONEY, Unit.PER_SHARE):
        return first, second
    one, other = first.calculation, second.calculation
    if one.currency != other.currency or bool(one.scale) != bool(other.scale):
        return None
    factor = FACTORS_OF_STATEMENTS[other.scale or ""] / FACTORS_OF_STATEMENTS[one.scale or ""]
    if factor == 1.0:
        return first, second
    amount = second.value.amount * factor
    moved = replace(second.value, amount=amount, text=f"{amount:,.10g}", binding=3, plain=None)
    return first, replace(second, value=moved)


# ---- the cells that a value rests on -> sources to cite, and the rows that the page shows


MAX_ROWS = 12  # of the table that is shown
MAX_COLUMNS = 8
MAX_LABEL_CHARACTERS = 160


def page_of(used: Used) -> StoredPage:
    """The page that a cell stands on."""
    return next(page for page in used.statement.pages if page.number == used.row.page)


def with_pages(used: Sequence[Used], documents: Mapping[str, Document], sources: Sequence[Source]) -> list[Source]:
    """The sources that hold the pages of the cells first, a new one for a page that none holds; numbered again."""
    return cited_first(used, sources, _holds, lambda one: page_source(documents[one.document], page_of(one)))


def _holds(source: Source, used: Used) -> bool:
    return source.document_id == used.document and source.first_page <= used.row.page <= source.last_page


def place_of(used: Used, sources: Sequence[Source]) -> tuple[Source, int]:
    """The source of a cell, and what its span in the page moves by to count from the source's start."""
    source = next(source for source in sources if _holds(source, used))
    return source, page_of(used).start - source.start


def rows_of(used: Sequence[Used]) -> TableExcerpt:
    """The rows, a column for each year of their statements."""
    years = sorted({year for one in used for year in one.statement.years}, reverse=True)[:MAX_COLUMNS]
    rows: list[tuple[str, ...]] = []
    marked: list[tuple[int, int]] = []
    places: dict[tuple[str, int, int], int] = {}
    for one in used:
        place = one.document, one.row.page, one.row.start
        if place not in places and len(rows) < MAX_ROWS:
            places[place] = len(rows)
            cells = (as_printed(one.row.cells[year].text) if year in one.row.cells else "" for year in years)
            rows.append((one.row.label[:MAX_LABEL_CHARACTERS], *cells))
        if place in places and one.year in years:
            marked.append((places[place], years.index(one.year)))
    units = {one.statement.unit for one in used}
    return TableExcerpt(
        units.pop() if len(units) == 1 else "", tuple(map(str, years)), tuple(rows), tuple(dict.fromkeys(marked))
    )
