"""Web addresses, e-mail addresses and telephone numbers, where a question asks for one: by how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.reader import Evidence

_LOOKED_AT: Final = 12  # sentences
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
