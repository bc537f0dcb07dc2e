"""The short answer to a question about an item of accounts or a metric, from the statements of its document.

Gives nothing where a word of the question, the document, the year, the row or the scale is in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.figures.excerpt import as_printed
from rag.answer.metrics.cited import page_of, place_of, rows_of, with_pages
from rag.answer.metrics.compute import FACTORS, Accounts, Calculation, Used, Value, combined, distinct
from rag.answer.metrics.documents import MAX_DOCUMENTS, StatementFinder
from rag.answer.metrics.formula import Name
from rag.answer.metrics.question import Operation, Request, understand
from rag.answer.metrics.statements import normalized
from rag.answer.metrics.vocabulary import Unit, Vocabulary, vocabulary
from rag.index.protocols import Scope
from rag.language import mainly_chinese
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, Document, ShortAnswer, Source

_PERIOD = re.compile(
    r"(?:(?:fiscal(?: years?)?|FY|years? ended|as of|at)\s*)?(?:[A-Z][a-z]{2,8}\.? \d{1,2}, ?)?(?:19"
    r"|20)\d\d(?:年(?:\d{1,2}月\d{1,2}日|度)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """A short answer, the rows it rests on, and the sources, those it cites first."""

    short: ShortAnswer
    rows: list[Evidence]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class _Result:
    """A value as text, and what it rests on."""

    text: str
    scale: str
    formula: str
    used: tuple[Used, ...]


def short_metric(
    finder: StatementFinder, scope: Scope, question: str, sources: Sequence[Source]
) -> MetricAnswer | None:
    """The answer from the statements of the documents that the question means; None where anything is in doubt."""
    words = vocabulary()
    request = understand(question, words)
    if request is None:
        return None
    documents = finder.documents(request.company, scope, sources)[:MAX_DOCUMENTS]
    accounts = _by_relevance([finder.accounts(document) for document in documents], request)
    for first in accounts:
        ordered = [first, *(one for one in accounts if one is not first)]
        result = _computed(request, ordered, words, chinese=mainly_chinese(question))
        if result is not None and result.used:
            return _answer(request, result, {document.id: document for document in documents}, sources)
    return None


def _by_relevance(accounts: Sequence[Accounts], request: Request) -> list[Accounts]:
    """The report on the year asked for first, then the newest."""
    asked = max(request.years, default=0)
    having = [one for one in accounts if one.statements]
    return sorted(having, key=lambda one: (one.newest != asked, abs(one.newest - asked) if asked else -one.newest))


def _computed(request: Request, accounts: Sequence[Accounts], words: Vocabulary, *, chinese: bool) -> _Result | None:
    calculation = Calculation(accounts, words, normalized(request.name))
    years = request.years or _newest_years(request, accounts[0])
    values = [calculation.value(request.formula, year) for year in years]
    known = [value for value in values if value is not None]
    if not known or len(known) != len(values):
        return None
    used = distinct(one for value in known for one in value.used)
    scale = calculation.scale or ""
    match request.operation:
        case Operation.VALUE:
            return _value_result(request, known[-1], scale, calculation.currency)
        case Operation.AVERAGE:
            mean = sum(value.amount for value in known) / len(known)
            formula = " + ".join(f"({value.text})" if value.binding < 3 else value.text for value in known)
            return _written(request, mean, f"({formula}) / {len(known)}", used, (scale, calculation.currency))
        case Operation.GROWTH | Operation.CAGR:
            return _growth(request, known, used, years)
        case Operation.CHANGE:
            return _change(request, known, (scale, calculation.currency), years, chinese=chinese)
        case _:
            return _decision(request, known, years, chinese=chinese)


def _newest_years(request: Request, accounts: Accounts) -> tuple[int, ...]:
    newest = accounts.newest
    return (
        (newest,) if request.operation in (Operation.VALUE, Operation.SIGN, Operation.HEALTH) else (newest - 1, newest)
    )


# ---- values as text


def _value_result(request: Request, value: Value, scale: str, currency: str) -> _Result:
    wanted = request.form.scale
    if (
        value.plain is not None
        and request.form.decimals is None
        and wanted in (None, scale)
        and request.unit in (Unit.MONEY, Unit.PER_SHARE)
    ):
        text = as_printed(value.plain.text)
        text = f"{currency}{text}" if text[:1].isdigit() else text
        return _Result(text, "" if request.unit is Unit.PER_SHARE else scale, "", value.used)
    formula = value.text if len(value.used) > 1 or value.binding < 3 else ""
    return _written(request, value.amount, formula, value.used, (scale, currency))


def _written(request: Request, amount: float, formula: str, used: tuple[Used, ...], money: tuple[str, str]) -> _Result:
    """An amount in the unit, the scale and with the decimals that are asked for."""
    scale, currency = money
    decimals = request.form.decimals
    if request.unit is Unit.PERCENT:
        return _Result(
            _rounded(amount * 100, _percent_decimals(amount * 100) if decimals is None else decimals),
            "percent",
            formula,
            used,
        )
    if request.unit in (Unit.TIMES, Unit.DAYS):
        return _Result(_rounded(amount, 2 if decimals is None else decimals), "", formula, used)
    if request.unit is Unit.PER_SHARE:
        return _Result(currency + _rounded(amount, 2 if decimals is None else decimals), "", formula, used)
    wanted = request.form.scale or scale
    factor = FACTORS[scale] / FACTORS[wanted] if scale else 1.0
    if factor != 1.0:
        formula = _converted(formula or _rounded(amount, 2, trim=True), factor)
    text = _rounded(amount * factor, 2 if decimals is None else decimals, trim=decimals is None)
    text = f"({currency}{text[1:]})" if text.startswith("-") else f"{currency}{text}"
    return _Result(text, wanted if scale else "", formula, used)


def _converted(formula: str, factor: float) -> str:
    """A formula with its conversion to another scale: "8,738 / 1,000"."""
    whole = f"({formula})" if " " in formula else formula
    return f"{whole} × {factor:,.10g}" if factor > 1 else f"{whole} / {1 / factor:,.10g}"


def _percent_decimals(percent: float) -> int:
    """One decimal, two of a percentage below 1."""
    return 1 if abs(percent) >= 1 else 2


def _rounded(amount: float, decimals: int, *, trim: bool = False) -> str:
    """Half away from zero, as people round."""
    text = f"{amount + (1e-9 if amount > 0 else -1e-9):,.{decimals}f}"
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _growth(request: Request, values: Sequence[Value], used: tuple[Used, ...], years: Sequence[int]) -> _Result | None:
    first, last = values[0], values[-1]
    if first.amount <= 0 or len(values) < 2:
        return None
    new, old = (f"({value.text})" if value.binding < 3 else value.text for value in (last, first))
    if request.operation is Operation.CAGR:
        spanned = years[-1] - years[0]
        if last.amount <= 0:
            return None
        rate = (last.amount / first.amount) ** (1 / spanned) - 1
        return _written(request, rate, f"({new} / {old})^(1/{spanned}) − 1", used, ("", ""))
    rate = last.amount / first.amount - 1
    return _written(request, rate, f"({new} − {old}) / {old}", used, ("", ""))


def _change(
    request: Request, values: Sequence[Value], money: tuple[str, str], years: Sequence[int], *, chinese: bool
) -> _Result | None:
    if len(values) < 2:
        return None
    difference = combined("-", values[-1], values[0])
    if difference is None:
        return None
    result = _written(request, difference.amount, difference.text, difference.used, money)
    if request.unit is Unit.PERCENT:
        points = "个百分点" if chinese else " percentage points"
        return replace(result, text=f"{result.text}{points}", scale="", formula=_year_by_year(request, values, years))
    return result


def _decision(request: Request, values: Sequence[Value], years: Sequence[int], *, chinese: bool) -> _Result | None:
    """Yes or no, where the values decide it."""
    used = distinct(one for value in values for one in value.used)
    texts = [_written(request, value.amount, "", (), ("", "")).text for value in values]
    if request.operation is Operation.SIGN:
        last = values[-1]
        if last.amount == 0:
            return None
        yes = (last.amount > 0) == (request.wants == "up")
        return _Result(_yes(yes, chinese), "", _year_by_year(request, values[-1:], years[-1:]), used)
    if request.operation is Operation.HEALTH and request.healthy is not None:
        below, above = request.healthy
        if below <= values[-1].amount < above:
            return None
        return _Result(_yes(values[-1].amount >= above, chinese), "", _year_by_year(request, values, years), used)
    if len(values) < 2 or texts[0] == texts[-1]:
        return None
    rose = values[-1].amount > values[0].amount
    text = _yes(rose == (request.wants == "up"), chinese)
    if not request.wants:
        text = ("上升" if rose else "下降") if chinese else ("Increased" if rose else "Decreased")
    return _Result(text, "", _year_by_year(request, values, years), used)


def _year_by_year(request: Request, values: Sequence[Value], years: Sequence[int]) -> str:
    """The value of each year, the newest first: "2023: 2,725 / 14,694 = 18.5%; 2022: …"."""
    lines = []
    for year, value in zip(reversed(years), reversed(values), strict=True):
        one = _written(request, value.amount, "", (), ("", ""))
        result = f" = {one.text}{'%' if one.scale == 'percent' else ''}" if value.binding < 3 else ""
        lines.append(f"{year}: {value.text}{result}")
    return "; ".join(lines)


def _yes(yes: bool, chinese: bool) -> str:
    return ("是" if yes else "否") if chinese else ("Yes" if yes else "No")


# ---- the answer with its citations


def _answer(
    request: Request, result: _Result, documents: dict[str, Document], sources: Sequence[Source]
) -> MetricAnswer:
    ordered = with_pages(result.used, documents, sources)
    citations: dict[Citation, None] = {}
    rows: dict[str, Evidence] = {}
    for used in result.used:
        source, start = place_of(used, ordered)
        citations[Citation(source.number, 1.0, start + used.cell.start, start + used.cell.end)] = None
        text = page_of(used).text[used.row.start : used.row.end]
        if text in source.text:
            rows.setdefault(text, Evidence(source.number, text, ANSWERABLE))
    short = ShortAnswer(
        values=(result.text,),
        scale=result.scale,
        labels=tuple(filter(None, _labels(request, result))),
        formula=result.formula,
        citations=tuple(citations),
        table=rows_of(result.used),
    )
    return MetricAnswer(short, list(rows.values()), tuple(ordered))


def _labels(request: Request, result: _Result) -> tuple[str, str]:
    first = result.used[0]
    if isinstance(request.formula, Name) and len(result.used) == 1:
        header = first.statement.headers.get(first.year, "")
        found = _PERIOD.findall(header)
        return first.row.label, found[-1] if found else str(first.year)
    name = request.name[:1].upper() + request.name[1:]
    years = request.years or (first.year,)
    return name, str(years[-1]) if len(years) == 1 else f"{years[0]}–{years[-1]}"
