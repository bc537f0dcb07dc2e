"""Items of financial statements and the metrics computed from them, as `accounts.toml` defines them."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rag.answer.metrics.formula import Name, Node, parse_formula
from rag.retrieve.statements import Statement


class Unit(StrEnum):
    """What a value is measured in."""

    MONEY = "money"
    PER_SHARE = "per share"
    PERCENT = "percent"
    TIMES = "times"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a financial statement."""

    id: str
    statement: Statement
    also: tuple[Statement, ...]  # where it is looked for next
    labels: tuple[re.Pattern[str], ...]  # of its row, best first; matched against the whole normalized label
    parts: tuple[re.Pattern[str], ...]  # rows that are added up where no label is found
    sum: bool  # all rows that match a label are added up
    positive: bool  # costs and payments, printed with or without a minus sign
    with_section: bool  # labels include the section that the row stands in
    instead: Node | None  # computed so where the statement has no such row
    unit: Unit

    @property
    def formula(self) -> Node:
        """Itself."""
        return Name(self.id)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure computed from items."""

    id: str
    formula: Node
    unit: Unit
    healthy: tuple[float, float] | None = None  # it is not below the first value, and is from the second on


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All items and metrics, and the names that questions give them."""

    entries: dict[str, Item | Metric]
    names: tuple[tuple[re.Pattern[str], str], ...]  # a name, and the id of what it names

    def name_at(self, text: str, start: int) -> tuple[str, int] | None:
        """The id of the item or metric named at a place in a text, and where the longest such name ends."""
        if not text[start].isalnum():
            return None
        matches = ((pattern.match(text, start), id_) for pattern, id_ in self.names)
        ends = [(match.end(), id_) for match, id_ in matches if match is not None and match.end() > start]
        if not ends:
            return None
        end, id_ = max(ends, key=lambda found: found[0])
        return id_, end


@functools.cache
def vocabulary() -> Vocabulary:
    """What `accounts.toml` defines."""
    content = tomllib.loads(Path(__file__).with_name("accounts.toml").read_text("utf-8"))
    entries: dict[str, Item | Metric] = {id_: _item(id_, entry) for id_, entry in content["item"].items()}
    entries |= {
        id_: Metric(
            id_,
            parse_formula(entry["formula"]),
            Unit(entry.get("unit", Unit.MONEY)),
            (entry["healthy"][0], entry["healthy"][1]) if "healthy" in entry else None,
        )
        for id_, entry in content["metric"].items()
    }
    # A name in Latin letters ends where a word ends; between Chinese characters there are no words.
    names = tuple(
        (re.compile(rf"(?:{name})(?![a-z0-9])", re.IGNORECASE), id_)
        for kind in ("item", "metric")
        for id_, entry in content[kind].items()
        for name in entry["names"]
    )
    return Vocabulary(entries, names)


def _item(id_: str, entry: dict[str, Any]) -> Item:
    return Item(
        id=id_,
        statement=Statement(entry["statement"]),
        also=tuple(Statement(name) for name in entry.get("also", ())),
        labels=tuple(map(re.compile, entry["labels"])),
        parts=tuple(map(re.compile, entry.get("parts", ()))),
        sum=entry.get("sum", False),
        positive=entry.get("positive", False),
        with_section=entry.get("with_section", False),
        instead=parse_formula(entry["or"]) if "or" in entry else None,
        unit=Unit.PER_SHARE if entry.get("per_share") else Unit.MONEY,
    )
