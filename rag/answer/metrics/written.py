"""A computed value in the words of the answer: unit, scale and rounding as asked, the formula with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.figures.excerpt import as_printed
from rag.answer.metrics.compute import FACTORS_OF_STATEMENTS, Used, Value, combined, distinct
from rag.answer.metrics.statements import ONE
from rag.answer.metrics.vocabulary import Unit
from rag.answer.metrics.wording import Operation, Request

_NO_MONEY = ("", "")


@dataclass(frozen=True, slots=True)
class Result:
    """Values as text, and what they rest on."""

    texts: tuple[str, ...]
    scale: str
    formula: str
    used: tuple[Used, ...]
    names: tuple[str, ...] = ()  # of the texts, one each, if there are several: years


def printed(request: Request, value: Value, money: tuple[str, str]) -> Result:
    """A value as the statement prints it, or computed; `money`: scale and currency of the amounts."""
    scale, currency = money
    as_asked = request.form.decimals is None and request.form.scale in (None, scale)
    if value.plain is not None and as_asked and request.unit in (Unit.MONEY, Unit.PER_SHARE):
        text = as_printed(value.plain.text)
        text = f"{currency}{text}" if text[:1].isdigit() else text
        return Result((text,), "" if request.unit is Unit.PER_SHARE or scale == ONE else scale, "", value.used)
    formula = value.text if len(value.used) > 1 or value.binding < 3 else ""
    return written(request, value.amount, formula, value.used, money)


def written(request: Request, amount: float, formula: str, used: tuple[Used, ...], money: tuple[str, str]) -> Result:
    """An amount in the unit, the scale and with the decimals that are asked for."""
    scale, currency = money
    decimals = request.form.decimals
    match request.unit:
        case Unit.PERCENT:
            return Result((_rounded(amount * 100, 2 if decimals is None else decimals),), "percent", formula, used)
        case Unit.TIMES | Unit.DAYS:
            return Result((_rounded(amount, 2 if decimals is None else decimals),), "", formula, used)
        case Unit.PER_SHARE:
            text = _with_currency(_rounded(amount, 2 if decimals is None else decimals), currency)
            return Result((text,), "", formula, used)
    wanted = request.form.scale or scale
    factor = FACTORS_OF_STATEMENTS[scale] / FACTORS_OF_STATEMENTS[wanted] if scale else 1.0
    if factor != 1.0:
        formula = _converted(formula or _rounded(amount, 2, trim=True), factor)
    text = _rounded(amount * factor, 2 if decimals is None else decimals, trim=decimals is None)
    return Result((_with_currency(text, currency),), wanted if scale and wanted != ONE else "", formula, used)


def _with_currency(text: str, currency: str) -> str:
    return f"({currency}{text[1:]})" if text.startswith("-") else f"{currency}{text}"


def _converted(formula: str, factor: float) -> str:
    """A formula with its conversion to another scale: "8,738 / 1,000"."""
    whole = f"({formula})" if " " in formula else formula
    return f"{whole} × {factor:,.10g}" if factor > 1 else f"{whole} / {1 / factor:,.10g}"


def _rounded(amount: float, decimals: int, *, trim: bool = False) -> str:
    """Half away from zero, as people round."""
    text = f"{amount + (1e-9 if amount > 0 else -1e-9):,.{decimals}f}"
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.removeprefix("-") if not text.strip("-0.") else text


def growth(request: Request, values: Sequence[Value], years: Sequence[int]) -> Result | None:
    """The growth from the first value to the last, in all or a year; None from a value that is not positive."""
    first, last = values[0], values[-1]
    if first.amount <= 0 or len(values) < 2:
        return None
    used = distinct(last.used + first.used)
    new, old = (f"({value.text})" if value.binding < 3 else value.text for value in (last, first))
    if request.operation is Operation.CAGR:
        spanned = years[-1] - years[0]
        if last.amount <= 0:
            return None
        rate = (last.amount / first.amount) ** (1 / spanned) - 1
        return written(request, rate, f"({new} / {old})^(1/{spanned}) − 1", used, _NO_MONEY)
    return written(request, last.amount / first.amount - 1, f"({new} − {old}) / {old}", used, _NO_MONEY)


def change(
    request: Request, values: Sequence[Value], names: Sequence[str], money: tuple[str, str], *, chinese: bool
) -> Result | None:
    """The last value minus the first; of percentages in percentage points. `names`: of the values."""
    difference = combined("-", values[-1], values[0]) if len(values) > 1 else None
    if difference is None:
        return None
    result = written(request, difference.amount, difference.text, distinct(difference.used), money)
    if request.unit is Unit.PERCENT:
        points = "个百分点" if chinese else " percentage points"
        return replace(result, texts=(f"{result.texts[0]}{points}",), scale="", formula=each_of(request, values, names))
    return result


def average(request: Request, values: Sequence[Value], money: tuple[str, str]) -> Result:
    """The mean of the values."""
    mean = sum(value.amount for value in values) / len(values)
    total = " + ".join(f"({value.text})" if value.binding < 3 else value.text for value in values)
    used = distinct(one for value in values for one in value.used)
    return written(request, mean, f"({total}) / {len(values)}", used, money)


def series(request: Request, values: Sequence[Value], names: Sequence[str], money: tuple[str, str]) -> Result:
    """Every value."""
    results = [printed(request, value, money) for value in values]
    used = distinct(one for value in values for one in value.used)
    computed = any(result.formula for result in results)
    formula = each_of(request, values, names) if computed else ""
    texts = tuple(text for result in results for text in result.texts)
    return Result(texts, results[0].scale, formula, used, tuple(names) if len(texts) == len(names) > 1 else ())


def decision(request: Request, values: Sequence[Value], names: Sequence[str], *, chinese: bool) -> Result | None:
    """Yes or no, where the values decide it."""
    used = distinct(one for value in values for one in value.used)
    last = values[-1]
    if request.operation is Operation.SIGN:
        if last.amount == 0:
            return None
        text = yes_or_no((last.amount > 0) == (request.wants == "up"), chinese=chinese)
        return Result((text,), "", each_of(request, values[-1:], names[-1:]), used)
    if request.operation is Operation.HEALTH and request.healthy is not None:
        below, above = request.healthy
        if below <= last.amount < above:
            return None
        text = yes_or_no(last.amount >= above, chinese=chinese)
        return Result((text,), "", each_of(request, values, names), used)
    shown = [written(request, value.amount, "", (), _NO_MONEY).texts for value in values]
    if len(values) < 2 or shown[0] == shown[-1]:
        return None
    rose = last.amount > values[0].amount
    text = yes_or_no(rose == (request.wants == "up"), chinese=chinese)
    if not request.wants:
        text = ("上升" if rose else "下降") if chinese else ("Increased" if rose else "Decreased")
    return Result((text,), "", each_of(request, values, names), used)


def each_of(request: Request, values: Sequence[Value], names: Sequence[str]) -> str:
    """The values written out, the last first: "2023: 2,725 / 14,694 = 18.5%; 2022: …"."""
    lines = []
    for name, value in zip(reversed(names), reversed(values), strict=True):
        one = written(request, value.amount, "", (), _NO_MONEY)
        result = f" = {one.texts[0]}{'%' if one.scale == 'percent' else ''}" if value.binding < 3 else ""
        lines.append(f"{name}: {value.text}{result}")
    return "; ".join(lines)


def yes_or_no(yes: bool, *, chinese: bool) -> str:
    """The word for it."""
    return ("是" if yes else "否") if chinese else ("Yes" if yes else "No")
