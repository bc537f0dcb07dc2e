"""The items of a list that a sentence announces: in the rest of the sentence, or on the lines below."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rag.answer.phrases.lists import split_items

_STOP: Final = (
    r"(?<!\bInc)(?<!\bCorp)(?<!\bCo)(?<!\bLtd)(?<![A-Z]\.[A-Z])(?<!\b[A-Z])\.(?=\s|$)|[。\n]"  # not that of "U.S."
)
_ENDS: Final = (
    re.compile(_STOP),
    re.compile(rf"{_STOP}|[;；]"),
)  # of a list with semicolons between its items, or without
_BULLET: Final = re.compile(r"[ \t]*(?:[•●▪·*–—-]|\(?\d{1,2}[.)、])[ \t]*(?=\S)")
_TAIL: Final = re.compile(
    r"(?:,? (?:among (?:others|other \w+)|and (?:others|other \w+(?: \w+)?)|to name a few|etc\.?|respectively)"
    r"|等.{0,6})$",
    re.IGNORECASE,
)
_OTHERS: Final = re.compile(
    r"^(?:among (?:others|other .*)|others|other .*|many others|various .*|numerous .*|a number of .*|several .*)$",
    re.IGNORECASE,
)
_FORM: Final = re.compile(r"^(?:Inc|Corp|Co|Ltd|LLC|L\.L\.C|LP|PLC|plc|N\.V|S\.A|AG|SE)\.?$")
_BRACKETS: Final = re.compile(r"\s{0,9}\([^)\n]{0,200}\)")
_ABBREVIATION: Final = re.compile(r"\([A-Z][A-Za-z&]{1,7}\)")
_ABBREVIATED: Final = re.compile(r"\([A-Z][A-Za-z&]{1,7}\),? and (?:the )?$")
_CLAUSE: Final = re.compile(r",? (?:which|that|who|where|each|all of which|as well as in|based on)\b")
_ITEM_END: Final = re.compile(r"\.\s|[;:]| [–—] | - |, (?:which|where|an?\b)")
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|may|can|could|offers?|operates?|provides?|includes?)\b"
)
_MAX_TEXT: Final = 900  # characters of a list within a sentence
_MAX_ITEM: Final = 70
_MAX_ITEMS: Final = 25
_NAMED: Final = 0.6  # share of the items that start like a name
_LEAD: Final = re.compile(r"[\s,]*(?:(?:and|or|as well as|such as|including) )?(?:the )?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Items:
    """The items, [start, end) each, and the end of the list."""

    spans: tuple[tuple[int, int], ...]
    end: int
    ambiguous: bool = False  # whether an item might be two, or two one: "Marketing and Print and Publishing"


def items_after(text: str, start: int, *, names: bool) -> Items | None:
    """The items of the list that starts at `start`; None if there is none."""
    if below := _below(text, start):
        return below
    return next((found for end in _ENDS if (found := _inline(text, start, end, names=names))), None)


def _below(text: str, start: int) -> Items | None:
    """Bulleted lines after a line that ends where the list begins."""
    spans: list[tuple[int, int]] = []
    at = start
    if text[:start].rstrip(" ")[-1:] != "\n" and (at >= len(text) or text[at] not in " \n•●▪"):
        return None
    while (bullet := _BULLET.match(text, _skip_blank(text, at))) and len(spans) < _MAX_ITEMS:
        stop = text.find("\n", bullet.end())
        stop = len(text) if stop < 0 else stop
        end = _item_end(text, bullet.end(), stop)
        spans.append((bullet.end(), end))
        at = stop
    return Items(tuple(spans), spans[-1][1]) if len(spans) > 1 else None


def _skip_blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \n":
        at += 1
    return at


def _item_end(text: str, start: int, stop: int) -> int:
    """Where the name at the beginning of a bulleted line ends."""
    end = _ITEM_END.search(text, start, stop)
    stop = end.start() if end else stop
    return start + len(text[start:stop].rstrip(" ;,.。；"))


def _inline(text: str, start: int, ends: re.Pattern[str], *, names: bool) -> Items | None:
    """The enumeration in the rest of the sentence."""
    limit = min(start + _MAX_TEXT, len(text))
    # Blank brackets, so that what they hold does not count; the places stay.
    blanked = _BRACKETS.sub(lambda match: " " * len(match.group()), text[start:limit])
    stop = ends.search(blanked)
    end = stop.start() if stop else len(blanked)
    if clause := _CLAUSE.search(blanked, 0, end):
        end = clause.start()
    if tail := _TAIL.search(blanked, 0, end):
        end = tail.start()
    rest = blanked[:end].rstrip(" ,:")
    spans = _abbreviated(text[start : start + end]) or _joined(rest, split_items(rest))
    spans = [(a, b) for a, b in (_stripped(rest, *one) for one in spans) if b > a and not _OTHERS.match(rest[a:b])]
    texts = [rest[a:b] for a, b in spans]
    if not 2 <= len(spans) <= _MAX_ITEMS or any(len(one) > _MAX_ITEM or _VERB.search(one) for one in texts):
        return None
    named = sum(one[0].isupper() or one[0].isdigit() or not one[0].isascii() for one in texts)
    if named < (_NAMED if names else 1.0) * len(texts):
        return None
    told = _ABBREVIATED.search(text[start : start + spans[-1][0]])  # "(RMS) and Space": an item ends before the last
    ambiguous = ";" not in rest and not told and len(re.findall(r"\band\b", rest[spans[-2][0] :])) > 1
    return Items(tuple((start + a, start + b) for a, b in spans), start + end, ambiguous)


def _abbreviated(text: str) -> list[tuple[int, int]]:
    """The items where each ends in its abbreviation: "Card Services (CS) and Network Services (NS)"; [] else."""
    ends = [match.end() for match in _ABBREVIATION.finditer(text)]
    if len(ends) < 2 or ends[-1] < len(text.rstrip(" ,")):
        return []
    spans = list(pairwise([0, *ends]))
    return spans if all("," not in text[a:b].strip(" ,") for a, b in spans) else []


def _joined(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The items, a legal form after a comma with the name before it: "Ball Corporation, Inc."."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and _FORM.match(text[start:end].strip()):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """An item without white space, without "and" or "such as" before it, and without its article."""
    lead = _LEAD.match(text, start, end)
    start = lead.end() if lead else start
    return start, start + len(text[start:end].rstrip(" ,;"))
