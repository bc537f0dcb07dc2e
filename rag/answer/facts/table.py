"""Reads `facts.toml`: which facts of a document are known, how they are asked for, and how documents state them."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from rag.answer.claims.dates import MONTH
from rag.answer.facts.question import Wording

_DAY: Final = rf"(?:{MONTH}\.? \d{{1,2}}|\d{{1,2}} {MONTH}\.?)"
_SHORTHANDS: Final = {
    "DATE": rf"(?:(?i:{_DAY},? |{MONTH}\.?,? )?(?:1[5-9]|20)\d\d(?!\d)(?:年(?:\d{{1,2}}月)?(?:\d{{1,2}}日)?)?)",
    "DAY": rf"(?i:{_DAY})",
    "COUNTED": (
        r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,12}(?:\.\d{1,9})? million|\d{1,12})"
        r"(?![\d.,]{0,20}\d|\s?[%％]| percent| million)"
    ),
    "COUNT": r"(?P<count>(?i:two|three|four|five|six|seven|eight|nine|ten)|[2-9]|1\d)",
    "ORGANISATION": (
        r"[A-Z][\w&.’'-]{0,40}(?:,? (?:&|and|[A-Z][\w&.’'-]{0,40})){0,4}?"
        r",? (?:LLP|L\.L\.P\.|LLC|AG|PLC|P\.?C\.|GmbH|S\.A\.)"
    ),
}
_SHORTHAND: Final = re.compile("|".join(_SHORTHANDS))
_LEGAL_FORM: Final = r"\b(?:,? (?:Inc|Corp|Co|Ltd|N\.V|S\.A)\b\.?)?"
_IN_SENTENCE: Final = r"(?:[^.\n]|(?<=\bInc)\.|(?<=\bCorp)\.|(?<=\bCo)\.|(?<=\bLtd)\.)"
_WE: Final = r"\b(?i:we|(?:the|our) (?:company|group|registrant|corporation|partnership|bank))\b"


class Form(StrEnum):
    """What is made of a match."""

    VALUE = "value"
    ADDRESS = "address"  # lines, joined by commas
    NUMBER = "number"
    LIST = "list"  # the items that follow


class Pick(StrEnum):
    """Which of several matches answers."""

    FIRST = "first"
    LARGEST = "largest"
    LONGEST = "longest"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which documents state a fact."""

    pattern: str  # with COMPANY where the document's company is meant
    cue: str  # a lower-case text that a page must have
    pages: int | None  # the first pages it is looked for on; None: all
    within: re.Pattern[str] | None  # what a page must have
    unless: re.Pattern[str] | None  # what the sentence must not have
    pick: Pick
    names: bool  # the items of a list are names
    year: bool  # only for a question that names a year

    def compiled(self, names: Collection[str]) -> re.Pattern[str]:
        """The pattern for a company called by these terms."""
        return _compiled(self.pattern, tuple(sorted(names)))


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that can be asked for."""

    name: str
    wording: Wording
    form: Form
    rules: tuple[Rule, ...]


@functools.cache
def known_facts() -> tuple[Fact, ...]:
    """The facts of the file, in its order."""
    table = tomllib.loads(Path(__file__).with_name("facts.toml").read_text("utf-8"))
    return tuple(_fact(entry) for entry in table["fact"])


def _fact(entry: Mapping[str, Any]) -> Fact:
    return Fact(
        name=entry["name"],
        wording=Wording.of(re.compile("|".join(entry["asks"]), re.IGNORECASE), entry["words"]),
        form=Form(entry.get("form", "value")),
        rules=tuple(_rule(rule) for rule in entry["rules"]),
    )


def _rule(entry: Mapping[str, Any]) -> Rule:
    within, unless = entry.get("within"), entry.get("unless")
    return Rule(
        pattern=entry["pattern"],
        cue=entry.get("cue", ""),
        pages=entry.get("pages"),
        within=re.compile(within) if within else None,
        unless=re.compile(unless, re.IGNORECASE) if unless else None,
        pick=Pick(entry.get("pick", "first")),
        names=entry.get("names", False),
        year=entry.get("year", False),
    )


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str, names: tuple[str, ...]) -> re.Pattern[str]:
    written = "|".join(rf"\b(?i:{re.escape(name)}){_LEGAL_FORM}" for name in names)
    company = f"(?:{_WE}|{written})" if written else _WE
    expanded = _SHORTHAND.sub(lambda match: _SHORTHANDS[match.group()], pattern)
    return re.compile(expanded.replace("COMPANY", company).replace(r"[^.\n]", _IN_SENTENCE), re.MULTILINE)
