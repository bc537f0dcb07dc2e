"""Who signed a report, or its certifications: the names after "/s/" on the pages that are for signing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rag.answer.facts.search import PageText, Place, Stated

ASKS: Final = re.compile(
    r"\b(?:who|which (?:officers?|executives?|persons?|people|directors?))\b.{0,40}\bsign(?:s|ed)?\b"
    r"|\bsignator(?:y|ies)\b",
    re.IGNORECASE,
)
WORDS: Final = (
    "signed sign signs signatory signatories signature signatures form 8-k 10-q 8 k filing behalf registrant"
    " certification certifications certified certificate certificates officer officers executive executives persons"
    " person people directors director this current quarterly"
)
_CERTIFICATIONS: Final = re.compile(r"\bcertif", re.IGNORECASE)
_ON_BEHALF: Final = re.compile(r"\bon behalf\b", re.IGNORECASE)
_REPORT: Final = re.compile(
    r"\bduly caused this (?:\w+ ){1,3}to be signed\b|\bsigned below by the following persons\b|^\W{0,9}SIGNATURES?\b",
    re.IGNORECASE | re.MULTILINE,
)
_CERTIFICATE: Final = re.compile(r"\bI,? [^\n]{3,60},? certify that\b|\bhereby certif(?:y|ies)\b", re.IGNORECASE)
_AUDITOR: Final = re.compile(r"\b(?:LLP|L\.L\.P|independent registered public accounting firm)\b", re.IGNORECASE)
_SIGNED: Final = re.compile(r"/s/\s{0,9}(?P<name>[A-Z][\w.’'-]*(?: [A-Z][\w.’'-]*){1,4}(?:,? (?:Jr|Sr|II|III|IV)\.?)?)")
_TITLE_WORDS: Final = frozenset(
    "chief chairman chair president vice executive senior director officer title name date principal chairperson"
    " attorney controller treasurer secretary general".split()
)
_LINES_AFTER: Final = re.compile(r"(?:\n(?!.*/s/)[^\n]{1,80}){0,3}")
_MOST: Final = 30  # names


def find_signers(question: str, pages: Sequence[PageText]) -> Stated | None:
    """The names that stand after "/s/", each once; None if no page for signing has one."""
    pattern = _CERTIFICATE if _CERTIFICATIONS.search(question) else _REPORT
    found: dict[str, tuple[Place, Place]] = {}
    for name, around in _signatures(pattern, pages):
        found.setdefault(name.text.casefold().strip("."), (name, around))
    places = list(found.values())[: 1 if _ON_BEHALF.search(question) else _MOST]
    if not places:
        return None
    names = tuple(name for name, _ in places)
    shown = tuple(around for _, around in places[:3])
    return Stated(tuple(name.text for name in names), names, shown)


def _signatures(pattern: re.Pattern[str], pages: Sequence[PageText]) -> Iterator[tuple[Place, Place]]:
    """Each name that is signed, and the name with the lines below it, which say the office."""
    signing = False
    for page in pages:
        starts = pattern.search(page.text)
        signing = starts is not None or (signing and "/s/" in page.text and not _CERTIFICATE.search(page.text))
        if not signing or (_AUDITOR.search(page.text) and starts is None):
            signing = False
            continue
        for match in _SIGNED.finditer(page.text, starts.start() if starts and pattern is _REPORT else 0):
            name = _without_titles(match["name"])
            if name:
                start = match.start("name")
                end = _end_of_lines(page.text, match.end())
                line = page.text.rfind("\n", 0, start) + 1
                yield Place(page, start, start + len(name)), Place(page, line, end)


def _without_titles(name: str) -> str:
    """A name before the first word of an office that stands on the same line; "" for less than two words."""
    words = name.split(" ")
    end = next((n for n, word in enumerate(words) if word.lower().strip(".,") in _TITLE_WORDS), len(words))
    return " ".join(words[:end]) if end > 1 else ""


def _end_of_lines(text: str, end: int) -> int:
    match = _LINES_AFTER.match(text, text.find("\n", end) if "\n" in text[end:] else len(text))
    return match.end() if match else end
