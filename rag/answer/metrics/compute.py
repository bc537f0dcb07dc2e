"""Evaluates a formula over the statements of documents: its value, the cells used, and the formula with its numbers.

Nothing is guessed: an item whose row is ambiguous, or a statement of unknown scale next to one whose scale is known,
gives no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.answer.metrics.formula import Binary, In, Name, Node, Number, Over
from rag.answer.metrics.statements import ONE, FoundStatement, StatementRow, normalized
from rag.answer.metrics.vocabulary import Item, Unit, Vocabulary
from rag.answer.scales import FACTORS
from rag.pdf.tables import Cell
from rag.retrieve.statements import Statement

FACTORS_OF_STATEMENTS = {"": 1.0, ONE: 1.0, **FACTORS}

_LOSS = re.compile(r"\bloss(?:es)?\b|亏损", re.IGNORECASE)
_INCOME = re.compile(r"income|earnings|profit|\(loss|利润", re.IGNORECASE)
_TAX_AS_EXPENSE = re.compile(r"\((?:expense|provision)", re.IGNORECASE)  # "Income tax (expense) benefit"
_PER_SHARE = re.compile(r"\bper (?:common |ordinary |basic |diluted )*shares?\b|每股", re.IGNORECASE)
_CENTS = re.compile(r"\.\d\d")
_NOT_CASH = re.compile(r"non-?cash (?:investing|financing|transactions|activit)|supplemental", re.IGNORECASE)
_INCOME_AS_PLUS = re.compile(r"\((?:income|gain)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The statements of one document."""

    document: str  # id
    statements: Mapping[Statement, FoundStatement]

    @property
    def newest(self) -> int:
        """The newest fiscal year that a statement has."""
        return max((max(found.years) for found in self.statements.values() if found.years), default=0)

    @property
    def offset(self) -> int:
        """Fiscal year minus the calendar year in which it ends, for years that end in January or February."""
        return min((found.offset for found in self.statements.values()), default=0)


@dataclass(frozen=True, slots=True)
class Used:
    """A cell that a value is based on."""

    document: str
    statement: FoundStatement
    row: StatementRow
    year: int
    cell: Cell

    @property
    def place(self) -> tuple[str, int, int]:
        """Document, page and where the cell begins on it."""
        return self.document, self.row.page, self.cell.start


@dataclass(frozen=True, slots=True)
class Value:
    """The result of a formula."""

    amount: float
    text: str  # written out: "1,577 / 32,765"
    used: tuple[Used, ...]
    binding: int = 3  # of the outermost operator: 1 for + and -, 2 for * and /, 3 for a number
    plain: Cell | None = None  # the cell that the value is, unchanged


@dataclass
class Calculation:
    """One formula over the accounts of one company; all amounts are in the scale of the first cell used."""

    accounts: Sequence[Accounts]  # the most relevant document first
    vocabulary: Vocabulary
    said: str = ""  # normalized name of the item, as the question words it
    scale: str | None = None  # of all amounts; None before the first cell
    currency: str = ""
    _misfit: bool = field(default=False, init=False)

    def value(self, node: Node, year: int) -> Value | None:
        """The value of a formula in a fiscal year; None if an item is missing or in doubt."""
        found = self._value(node, year)
        return None if self._misfit else found

    def _value(self, node: Node, year: int) -> Value | None:
        match node:
            case Number(value=number):
                return Value(number, _number(number), ())
            case In(body=body, year=own):
                return self._value(body, own)
            case Over(body=body, years=years, change=change):
                return self._over(body, years or (year - 1, year), change)
            case Binary():
                return self._binary(node, year)
            case Name(id=id_, optional=optional):
                entry = self.vocabulary.entries[id_]
                if not isinstance(entry, Item):
                    return self._value(entry.formula, year)
                found = self._item(entry, year)
                return Value(0.0, "0", ()) if found is None and optional else found

    def _over(self, body: Node, years: tuple[int, ...], change: bool) -> Value | None:
        values = [self._value(body, year) for year in years]
        known = [value for value in values if value is not None]
        if len(known) != len(values):
            return None
        used = tuple(one for value in known for one in value.used)
        if change:
            first, last = known[0], known[-1]
            return Value(last.amount - first.amount, f"({_wrapped(last, 2)} − {_wrapped(first, 2)})", used)
        total = " + ".join(_wrapped(value, 1) for value in known)
        return Value(sum(value.amount for value in known) / len(known), f"(({total}) / {len(known)})", used)

    def _binary(self, node: Binary, year: int) -> Value | None:
        left, right = self._value(node.left, year), self._value(node.right, year)
        if left is None or right is None:
            return None
        if not left.used and left.amount == 0 and node.operator == "+":
            return right  # an optional item that is not there
        if not right.used and right.amount == 0 and node.operator in "+-":
            return left
        return combined(node.operator, left, right)

    # ---- one item

    def _item(self, item: Item, year: int) -> Value | None:
        for accounts in self.accounts:
            for statement in (item.statement, *item.also):
                found = accounts.statements.get(statement)
                rows = self._rows(item, found, year) if found else []
                if found and rows:
                    return self._sum(item, accounts.document, found, rows, year)
            if item.instead is not None and (value := self._value(item.instead, year)) is not None:
                return value
        return None

    def _rows(self, item: Item, statement: FoundStatement, year: int) -> list[StatementRow]:
        """The rows of an item; [] if there is none, or several with different values."""
        dated = [row for row in statement.rows if year in row.cells and _is_of(item, row, year)]
        named = [row for row in dated if row.normalized == self.said and _fits(item, row, range(len(item.labels)))]
        if named and not item.sum:
            return _the_one(named, year)
        if item.sum:
            found = [row for row in dated if _fits(item, row, range(len(item.labels)))]
            return [row for row in found if row.normalized.startswith("total ")][:1] or found
        for n in range(len(item.labels)):
            if found := [row for row in dated if _fits(item, row, (n,))]:
                return _the_one(found, year)
        return [row for row in dated if any(part.fullmatch(row.normalized) for part in item.parts)]

    def _sum(
        self, item: Item, document: str, statement: FoundStatement, rows: Sequence[StatementRow], year: int
    ) -> Value | None:
        scale = "" if item.unit is Unit.PER_SHARE else statement.scale
        values = [self._cell(item, Used(document, statement, row, year, row.cells[year]), scale) for row in rows]
        total: Value | None = values[0]
        for value in values[1:]:
            total = combined("+", total, value) if total else None
        return total

    def _cell(self, item: Item, used: Used, scale: str) -> Value:
        if self.scale is None:
            self.scale, self.currency = scale, used.statement.currency
        if used.statement.currency and self.currency and used.statement.currency != self.currency:
            self._misfit = True
        if bool(scale) != bool(self.scale):
            self._misfit = True
        number = used.cell.value or 0.0
        signed = self._tax(used, number) if item.id == "income_tax" else _signed(item, used.row.label, number)
        amount = signed * FACTORS_OF_STATEMENTS[scale] / FACTORS_OF_STATEMENTS[self.scale]
        return Value(
            amount, _number(amount), (used,), 3, used.cell if signed == number and scale == self.scale else None
        )

    def _tax(self, used: Used, number: float) -> float:
        """Income tax, positive if it lowers income; statements print it either way."""
        before, after = (self._printed(id_, used.statement, used.year) for id_ in ("pretax_income", "net_income"))
        if before is None or after is None:
            return -number if _TAX_AS_EXPENSE.search(used.row.label) else number
        return number if abs(before - number - after) <= abs(before + number - after) else -number

    def _printed(self, id_: str, statement: FoundStatement, year: int) -> float | None:
        """The value of an item in one statement."""
        item = self.vocabulary.entries[id_]
        rows = self._rows(item, statement, year) if isinstance(item, Item) else []
        return (
            _signed(item, rows[0].label, rows[0].cells[year].value or 0.0) if rows and isinstance(item, Item) else None
        )


def distinct(used: Iterable[Used]) -> tuple[Used, ...]:
    """The cells, each once."""
    return tuple({one.place: one for one in used}.values())


def combined(operator: str, left: Value, right: Value) -> Value | None:
    """Two values joined by +, -, * or /; None for a division by zero."""
    if operator == "/" and right.amount == 0:
        return None
    amount = {
        "+": left.amount + right.amount,
        "-": left.amount - right.amount,
        "*": left.amount * right.amount,
        "/": left.amount / (right.amount or 1.0),
    }[operator]
    binding = 1 if operator in "+-" else 2
    sign = {"-": "−", "*": "×"}.get(operator, operator)
    text = f"{_wrapped(left, binding)} {sign} {_wrapped(right, binding + (operator in '-/'))}"
    return Value(amount, text, left.used + right.used, binding)


def _wrapped(value: Value, binding: int) -> str:
    return f"({value.text})" if value.binding < binding else value.text


def _number(amount: float) -> str:
    text = f"{abs(round(amount, 6)):,.10g}"
    return f"({text})" if amount < 0 else text


def _fits(item: Item, row: StatementRow, labels: Sequence[int]) -> bool:
    whole = normalized(f"{row.section} {row.label}")
    label = f"total {normalized(row.section)}" if row.normalized == "total" else row.normalized
    texts = (label, whole) if item.with_section else (label,)
    return any(item.labels[n].fullmatch(text) for n in labels for text in texts)


def _the_one(rows: Sequence[StatementRow], year: int) -> list[StatementRow]:
    """The first of the rows if all have the same value; else the one whose label the others only add words to."""
    if len({row.cells[year].value for row in rows}) == 1:
        return [rows[0]]
    plain = min(rows, key=lambda row: len(row.normalized), default=None)
    if plain is None or not all(row is plain or row.normalized.startswith(f"{plain.normalized} ") for row in rows):
        return []
    return [plain]


def _is_of(item: Item, row: StatementRow, year: int) -> bool:
    """Whether a row can belong to an item at all: an amount per share is not the company's, and vice versa."""
    per_share = bool(_PER_SHARE.search(f"{row.section} {row.label}"))
    if item.unit is Unit.PER_SHARE:
        return bool(_CENTS.search(row.cells[year].text))
    return not per_share and not _NOT_CASH.search(row.section)


def _signed(item: Item, label: str, number: float) -> float:
    """A value with the sign it has in formulas: costs are positive, losses negative."""
    if item.positive:
        return number if _INCOME_AS_PLUS.search(label) else abs(number)
    if item.statement is Statement.INCOME and _LOSS.search(label) and not _INCOME.search(label):
        return -abs(number)
    return number
