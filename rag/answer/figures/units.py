"""The scale of a cell: that of its table, unless its row, its column or its own text says otherwise."""

from __future__ import annotations

import re
from functools import lru_cache

from rag.pdf.tables import Cell, Row, Table

_UNSCALED = re.compile(
    r"per (?:\w+ )?(?:share|unit|day|dozen|barrel|ounce|ton|subscriber|employee|square)|\beps\b|\bdays\b|\bprice\b"
    r"|\b(?:number|no\.?) of (?:employees|stores|restaurants|people|rights|hotels|sites|customers)|\byears?\)|\bratio\b"
    r"|cents|每股|天数|人数",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%\s*$|\(%\)|^%|\bpercent(?:age)?\b(?! of completion)|％|百分比|[占比]比例?$|率$", re.IGNORECASE)
_SCALES = (
    (re.compile(r"\bbillions?\b|十亿", re.IGNORECASE), "billion"),
    (re.compile(r"\bmillions?\b|[$£€¥]\s?m(?:il|n|m)?\b|百万", re.IGNORECASE), "million"),
    (re.compile(r"\b(?:in )?thousands?\b|[$£€¥]\s?['’‘]?000s?\b|千元", re.IGNORECASE), "thousand"),
    (re.compile(r"亿元|億元"), "hundred million"),
    (re.compile(r"万元|萬元"), "ten thousand"),
)
_CURRENCY = re.compile(r"[$£€¥￥]")
_MAX_PERCENT = 1_000  # a larger value is none
_MIN_ENDS = 3  # values of a column whose first and last carry a percent sign, so that all are percentages


def scales_of(table: Table) -> list[tuple[str, ...]]:
    """The scale of each cell of each row: "percent", "million", ...; "" for none."""
    percent_columns, amounts = _percent_columns(table), _amount_columns(table)
    return [_scales_in(row, table, percent_columns, amounts) for row in table.rows]


def _scales_in(row: Row, table: Table, percent_columns: set[int], amounts: set[int]) -> tuple[str, ...]:
    label = f"{row.label} {row.section}"
    own = _named(row.label) or ("" if _is_unscaled(label) else None)
    if own is None and _is_percent(row.label):
        own = "percent"
    scales = []
    for column, cell in enumerate(row.cells):
        header = table.headers[column]
        if cell is None:
            scales.append("")
        elif cell.percent or (column not in amounts and (column in percent_columns or _is_percent(header))):
            scales.append("percent")
        elif own is not None and not (own == "percent" and _is_amount(cell)):
            scales.append(own)
        else:
            scales.append(_named(header) or ("" if _is_unscaled(header) else table.scale))
    return tuple(scales)


@lru_cache(maxsize=4000)
def _named(text: str) -> str | None:
    return next((scale for pattern, scale in _SCALES if pattern.search(text)), None)


@lru_cache(maxsize=4000)
def _is_unscaled(text: str) -> bool:
    return bool(_UNSCALED.search(text))


@lru_cache(maxsize=4000)
def _is_percent(text: str) -> bool:
    return bool(_PERCENT.search(text))


def _percent_columns(table: Table) -> set[int]:
    """Columns whose first and last values have a percent sign: like currency signs, it may be printed only there."""
    found = set()
    for column in range(len(table.headers)):
        cells = [cell for row in table.rows if (cell := row.cells[column]) is not None and cell.value is not None]
        if len(cells) >= _MIN_ENDS and cells[0].percent and cells[-1].percent:
            found.add(column)
    return found


def _amount_columns(table: Table) -> set[int]:
    """Columns that hold amounts of money, whatever their header says."""
    return {
        column for row in table.rows for column, cell in enumerate(row.cells) if cell is not None and _is_amount(cell)
    }


def _is_amount(cell: Cell) -> bool:
    return not cell.percent and (_CURRENCY.search(cell.text) is not None or abs(cell.value or 0.0) > _MAX_PERCENT)
