"""The short answer to a question about an item of accounts or a metric, from the statements of its document.

Gives nothing if a word of the question, the document, the year, the row or the scale is in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.answer.document_answer import DocumentAnswer
from rag.answer.metrics.cited import page_of, place_of, rows_of, with_pages
from rag.answer.metrics.compare import Side, compared
from rag.answer.metrics.compute import Accounts, Calculation
from rag.answer.metrics.documents import MAX_DOCUMENTS, Named, StatementFinder
from rag.answer.metrics.formula import Name
from rag.answer.metrics.question import understand
from rag.answer.metrics.request import OF_ONE_YEAR, Comparison, Operation, Request
from rag.answer.metrics.statements import normalized
from rag.answer.metrics.vocabulary import vocabulary
from rag.answer.metrics.written import Result, average, change, decision, growth, printed, series
from rag.index.protocols import Scope
from rag.language import mainly_chinese
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, Document, ShortAnswer, Source

_PERIOD = re.compile(
    r"(?:(?:fiscal(?: years?)?|FY|years? ended|as of|at)\s*)?(?:[A-Z][a-z]{2,8}\.? \d{1,2}, ?)?(?:19"
    r"|20)\d\d(?:年(?:\d{1,2}月\d{1,2}日|度)?)?",
    re.IGNORECASE,
)


def short_metric(
    finder: StatementFinder, scope: Scope, question: str, sources: Sequence[Source]
) -> DocumentAnswer | None:
    """The answer from the statements of the documents that the question means; None where anything is in doubt."""
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
    """What a question about accounts asks of years that no statement of the company has: "operating income 2021".

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
