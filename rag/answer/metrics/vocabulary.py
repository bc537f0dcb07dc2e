"""Items of financial statements and the metrics computed from them, as `accounts.toml` or a question defines them."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rag.answer.metrics import wording
from rag.answer.metrics.formula import Binary, In, Kind, Name, Node, Over, Token, names_in, parse_formula, parse_tokens
from rag.retrieve.statements import Statement

MAX_DEPTH = 8  # of definitions that use one another

_DEFINED = re.compile(
    r"(?:(?:please |where |here,? )?\b(?:define|calculate|compute)\b (?P<a>[^.:=?!]{2,80}?)\s(?:as|using|by)\b:?"
    r"|(?:^|(?<=[.?!;,:] )|(?<=[.?!;,:] [Tt]he ))(?P<b>[A-Za-z][\w &%/()'-]{1,70}?)\s(?:here )?(?:is|are"
    r"|be) (?:defined|calculated|computed|measured) (?:here )?(?:as|by)\b:?"
    r"|(?:^|(?<=[.?!;,:] ))(?:where "
    r"|here )?(?P<c>[A-Za-z][\w &%/()'-]{1,60}?)\s?=)\s*(?P<formula>[^?;=]{3,400}?)(?=\.\s|\.$|\?|;|$)",
    re.IGNORECASE,
)
FORMULA_FILLERS = frozenset(
    "the of for in its their that year years end fiscal at from a an amount balance unadjusted reported total"
    " company's"
    " between 的 年 during both is".split()
)


def is_filler(token: Token, fillers: frozenset[str]) -> bool:
    """Whether a token is one of these words."""
    return token.kind is Kind.WORD and token.text.lower() in fillers


def definitions(text: str, vocabulary: Vocabulary) -> tuple[str, dict[str, str], dict[str, Node]] | None:
    """The text without its definitions, the names that they introduce, and their formulas by id.

    None if a definition cannot be read.
    """
    names: dict[str, str] = {}
    matches = list(_DEFINED.finditer(text))
    named: list[tuple[str, str]] = []  # id and formula
    for match in matches:
        name = " ".join(
            word
            for word in re.split(r"\s+", match["a"] or match["b"] or match["c"])
            if word.lower() not in ("unadjusted", "the")
        )
        found = vocabulary.name_at(name, 0)
        id_ = found[0] if found and found[1] == len(name) else name.lower()
        if id_ not in vocabulary.entries:
            if (
                not match["c"]
                and not match["b"]
                and not match[0].lower().lstrip().startswith(("define", "please define"))
            ):
                continue  # "calculate what was asked by using the line items" defines nothing
            names[id_] = id_
        named.append((id_, match["formula"]))
    formulas: dict[str, Node] = {}
    for id_, formula in named:
        tokens = [
            token for token in wording.pieces(formula, vocabulary, names) if not is_filler(token, FORMULA_FILLERS)
        ]
        node = parse_tokens(tokens)
        if node is None:
            # "using operating income and D&A" names the parts of the usual formula.
            usual = vocabulary.entries.get(id_)
            said = {token.text for token in tokens if token.kind is Kind.NAME}
            if usual is None or said != set(names_in(usual.formula)):
                return None
            node = usual.formula
        formulas[id_] = node
    for match in reversed(matches):
        text = f"{text[: match.start()]} {text[match.end() :]}"
    return " ".join(text.split()), names, formulas


def written_out(node: Node, vocabulary: Vocabulary, formulas: Mapping[str, Node], depth: int = 0) -> Node | None:
    """A formula over items alone: metrics written out, those that the question defines by its own formula."""
    if depth > MAX_DEPTH:
        return None
    match node:
        case Name(id=id_):
            if id_ in formulas and node != formulas[id_]:
                return written_out(
                    formulas[id_], vocabulary, {k: v for k, v in formulas.items() if k != id_}, depth + 1
                )
            entry = vocabulary.entries.get(id_)
            if isinstance(entry, Metric):
                return written_out(entry.formula, vocabulary, formulas, depth + 1)
            return node if entry is not None else None
        case In(body=body, year=year):
            inner = written_out(body, vocabulary, formulas, depth)
            return In(inner, year) if inner else None
        case Over(body=body):
            inner = written_out(body, vocabulary, formulas, depth)
            return Over(inner, node.years, node.change) if inner else None
        case Binary(operator=operator, left=left, right=right):
            one, other = (
                written_out(left, vocabulary, formulas, depth),
                written_out(right, vocabulary, formulas, depth),
            )
            return Binary(operator, one, other) if one and other else None
        case _:
            return node


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
