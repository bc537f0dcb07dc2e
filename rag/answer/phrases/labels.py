"""What a label or its form tells: "Contract number: CG-7", abbreviations with what they stand for, addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.reader import Evidence

_HOST: Final = r"(?:[a-z0-9](?:[a-z0-9-]{0,62})\.){1,6}[a-z]{2,18}"
_WEB: Final = re.compile(
    rf"\bhttps?://[^\s<>\"“”，。；）)]{{3,300}}|\bwww\.{_HOST}(?:/[^\s<>\"“”，。；）)]{{0,300}})?", re.IGNORECASE
)
_E_MAIL: Final = re.compile(rf"[\w.+-]{{1,64}}@{_HOST}", re.IGNORECASE)
_TELEPHONE: Final = re.compile(r"(?<![\w.,$-])\+?\(?\d{1,4}\)?(?:[ .-]?\(?\d{1,5}\)?){1,5}(?![\w,]|\.\d)")
_LEAST_DIGITS: Final = 7  # of a telephone number

# What a question asks for, by its words; the first that matches.
_WHAT_IS: Final = r"\b(?:what(?:['’]s| is| are)|give(?: me)?|find|tell me)(?: [^\s?]{1,40}){0,6} "
_OF: Final = r"(?: address(?:es)?| numbers?)?(?=\s*(?:[?.]|$|of\b|for\b|to\b|where\b|under\b))"
_ASKED: Final = (
    (re.compile(rf"{_WHAT_IS}e-?mail{_OF}|邮箱|电子邮件(?:地址)?[是为]", re.IGNORECASE), _E_MAIL),
    (
        re.compile(
            rf"{_WHAT_IS}(?:ur[li]|web ?site|web ?page|home ?page|web){_OF}|网址|(?:网站|主页|官网)[是为]",
            re.IGNORECASE,
        ),
        _WEB,
    ),
    (
        re.compile(rf"{_WHAT_IS}(?:(?:tele)?phone|fax|hotline){_OF}|(?:电话|传真|热线)(?:号码)?[是为]", re.IGNORECASE),
        _TELEPHONE,
    ),
)
_ENDS: Final = ".,;:!?'"  # of the sentence around an address
_ASKS_MEANING: Final = re.compile(
    r"\b[Ww]hat (?:does|do|did|is)\b.{0,20}?\b(?P<short>[A-Z][A-Z&]{1,7})\b.{0,20}"
    r"(?:\bmean|\bstands? for\b|\bshort for\b)"
    r"|(?P<han>[A-Z][A-Z&]{1,7})\s?(?:是什么(?:意思|的缩写)|代表什么|指什么|是指什么|的全称)"
)
_ASKS_NUMBER: Final = re.compile(
    r"\bwhat(?:['’]s| is| was) (?:the |its |their )?(?:[\w-]{1,30} ){0,3}?(?P<noun>(?!tele)[a-z]{3,20})"
    r" (?:number|code|no\b)",
    re.IGNORECASE,
)
_LOOKED_AT: Final = 12  # sentences


def asked_address(question: str) -> re.Pattern[str] | None:
    """How the address is written that a question asks for; None for any other question."""
    return next((written for asked, written in _ASKED if asked.search(question)), None)


def find_address(written: re.Pattern[str], evidence: Sequence[Evidence]) -> tuple[Evidence, int, int] | None:
    """The first address in the evidence, best first, and its place [start, end)."""
    for found in evidence[:_LOOKED_AT]:
        for match in written.finditer(found.text):
            text = match[0].rstrip(_ENDS)
            if written is not _TELEPHONE or sum(map(str.isdigit, text)) >= _LEAST_DIGITS:
                return found, match.start(), match.start() + len(text)
    return None


def find_numbered(question: str, evidence: Sequence[Evidence]) -> tuple[Evidence, int, int] | None:
    """The number after its name in a sentence: "sort code 20-45-77, account 5530 1198"."""
    asked = _ASKS_NUMBER.search(question)
    if asked is None:
        return None
    noun = re.escape(asked["noun"])
    written = re.compile(
        rf"\b{noun}(?: (?:number|code|no\.?))?[:#]? "
        r"(?P<value>[A-Z]{0,4}-?\d[\dA-Z]{0,20}(?:[ /-]\d[\dA-Z]{0,20}){0,5})"
        r"(?![\w,.]*\d)",
        re.IGNORECASE,
    )
    for found in evidence[:_LOOKED_AT]:
        if match := written.search(found.text):
            return found, *match.span("value")
    return None


def find_expansion(question: str, evidence: Sequence[Evidence]) -> tuple[Evidence, int, int] | None:
    """What an abbreviation stands for, if either of them follows the other in brackets."""
    asked = _ASKS_MEANING.search(question)
    if asked is None:
        return None
    short = re.escape(asked["short"] or asked["han"])
    inside = re.compile(rf"(?<![A-Za-z]){short} ?[(（](?P<long>[^()（）]{{4,80}})[)）]")
    behind = re.compile(
        rf"(?:The )?(?P<long>(?:[A-Z][\w&-]{{1,30}} (?:of |and |for |the |to )?){{1,6}})[(（][“\"]?{short}[”\"]?[)）]"
    )
    for found in evidence[:_LOOKED_AT]:
        for pattern in (inside, behind):
            if match := pattern.search(found.text):
                return found, match.start("long"), match.start("long") + len(match["long"].rstrip())
    return None
