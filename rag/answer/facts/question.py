"""Whether every word of a question for a fact is understood: as part of the fact, the company, or a function word."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from rag.answer.claims.dates import MONTH, YEAR
from rag.index.tokenize import terms

FUNCTION_TERMS: Final = frozenset(
    term
    for word in (
        "what which who whom whose where when how many much is are was were be been do does did has have had having the"
        " a an of in at on for to by from with as its it they their them this that there and or any s company"
        " company's firm group business corporation corp inc incorporated plc llc ltd limited co organization"
        " please tell me name give can you could currently current now today according document report annual filing"
        " 10-k 10k end ended beginning during fiscal year years financial per my our your official"
    ).split()
    for term in terms(word)
)
_FUNCTION_HAN: Final = re.compile(
    r"请问|请|告诉我|根据|年报|报告|这家|该|本|公司|集团|股份|有限|目前|现在|截至|期末|年末|年底|年度|年"
    r"|是什么|是谁|是多少|有多少|有哪些|是哪[里个家]|在哪[里个儿]|在哪|位于|哪[里个家些位]|什么|多少|何处|何时|谁|几"
    r"|的|了|吗|呢|是|在|有|为|由|于|和|与|共|名|位|人|个|[\d？?，。、\s]"
)
_CAPITALISED: Final = re.compile(r"[A-Z][\w&.]*(?: [A-Z][\w&.]*)+")
_DAY: Final = re.compile(
    rf"\b{MONTH}\.? \d{{1,2}}, (?:19|20)\d\d\b|\b\d{{1,2}} {MONTH}\.? (?:19|20)\d\d\b", re.IGNORECASE
)
_REGISTRANT: Final = re.compile(
    r"\b(?P<name>[A-Z][\w&.’'-]{0,30}(?: [A-Z&][\w&.’'-]{0,30}){0,4}?),? (?:Inc|INC|Corp|CORP|Corporation|CORPORATION"
    r"|Company|COMPANY|Co|CO|Ltd|LTD|PLC|plc|N\.V|S\.A|AG|SE|Group|GROUP)\b"
)
_NUMBER: Final = re.compile(r"[\d.]+")


@dataclass(frozen=True, slots=True)
class Wording:
    """How a fact is asked for."""

    asks: re.Pattern[str]
    words: frozenset[str]  # terms that such a question may have
    han: tuple[str, ...] = ()  # Chinese words that it may have, longest first

    @classmethod
    def of(cls, asks: re.Pattern[str], words: str) -> Wording:
        """`words`: separated by spaces, of both languages."""
        own = words.split()
        han = sorted((word for word in own if not word.isascii()), key=len, reverse=True)
        return cls(asks, frozenset(term for word in own if word.isascii() for term in terms(word)), tuple(han))


def years_of(question: str) -> list[str]:
    """The years in a question."""
    return re.findall(YEAR, question)


def without_dates(question: str, cover: str) -> str:
    """The question without the days that the start of the document names: "held on May 18, 2022"."""
    named = " ".join(cover.split()).casefold()
    return _DAY.sub(lambda day: " " if " ".join(day.group().split()).casefold() in named else day.group(), question)


def company_on(cover: str) -> frozenset[str]:
    """The terms of the company that the cover names with its legal form, which the file's name may lack."""
    return frozenset(term for match in _REGISTRANT.finditer(cover) for term in terms(match["name"])) - FUNCTION_TERMS


def is_understood(question: str, wording: Wording, names: Collection[str], cover: str) -> bool:
    """Whether all words are understood.

    `names`: terms that name the document; `cover`: its name, title and beginning.
    """
    known = wording.words | FUNCTION_TERMS | frozenset(names)
    own = frozenset(terms(cover)) & _beside_names(question, names)
    latin = [term for term in terms(question) if term.isascii() and not _NUMBER.fullmatch(term)]
    if any(term not in known and term not in own and not is_part(term, names) for term in latin):
        return False
    return all(run in cover for run in _han_left(question, wording))


def _beside_names(question: str, names: Collection[str]) -> frozenset[str]:
    """The terms of capitalised words next to a name of the document: "MGM Resorts International"."""
    runs = (frozenset(terms(match.group())) for match in _CAPITALISED.finditer(question))
    return frozenset().union(*(run for run in runs if any(one in names or is_part(one, names) for one in run)))


def is_part(term: str, names: Iterable[str]) -> bool:
    """Whether a term is written together with another in a name: "bestbuy"."""
    return len(term) > 2 and any(term in name for name in names)


def _han_left(question: str, wording: Wording) -> list[str]:
    """The Chinese in a question that is neither part of the fact nor a function word."""
    text = "".join(one for one in question if not one.isascii())
    for word in wording.han:
        text = text.replace(word, " ")
    return [run for run in _FUNCTION_HAN.sub(" ", wording.asks.sub(" ", text)).split() if run]
