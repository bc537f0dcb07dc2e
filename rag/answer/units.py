"""Extends a sentence to the unit it belongs to: a heading to the text below it, an item to its whole list.

A heading alone says nothing, and the text below it often lacks the heading's words, such as "In an emergency" above a
telephone number. One step of a procedure does not explain the procedure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from rag.answer.phrases.fit import is_heading
from rag.answer.phrases.lists import BULLET, Line, lines_of
from rag.answer.sentences import sentence_spans
from rag.reader import Evidence
from rag.records import Source

MAX_CHARACTERS: Final = 700  # of a unit; a sentence in a longer one stays alone
MAX_ITEMS: Final = 20
EXPANDED: Final = 3  # how many sentences, from the best, are extended
_MIN_PROSE: Final = 8  # characters of a sentence below a heading
_ANNOUNCES: Final = re.compile(r"[:：]$")
_SENTENCE: Final = re.compile(r"[.。!！?？;；][”’」』）)\"']*$")


def with_units(evidence: Sequence[Evidence], sources: Sequence[Source], *, kept: int = 0) -> list[Evidence]:
    """The evidence, best first: the best sentences extended to their units, and no sentence that a unit repeats.

    A heading that is closer to the question than the best sentences comes first, after the `kept` sentences that a
    short answer needs.
    """
    texts = {source.number: source.text for source in sources}
    if heading := _nearest_heading(evidence[kept:], texts):
        rest = [one for one in evidence[kept:] if one is not heading]
        evidence = [*evidence[:kept], heading, *rest]
    units: list[Evidence] = []
    for rank, one in enumerate(evidence):
        whole = unit_of(texts.get(one.number, ""), one.text) if rank < EXPANDED else one.text
        if not any(_repeats(whole, other.text) for other in units if other.number == one.number):
            units.append(replace(one, text=whole))
    return units


def _repeats(one: str, other: str) -> bool:
    """Whether one of two texts is a unit that contains the other."""
    return ("\n" in other and one in other) or ("\n" in one and other in one)


def _nearest_heading(evidence: Sequence[Evidence], texts: Mapping[int, str]) -> Evidence | None:
    """The first heading with text below it that is closer to the question than the best sentences."""
    leading = [one for one in evidence if _leads(one.text)]
    least = max((one.answerability for one in evidence[:EXPANDED] if one not in leading), default=0.0)
    for one in leading:
        if one.answerability > least and unit_of(texts.get(one.number, ""), one.text) != one.text:
            return one
    return None


def _leads(sentence: str) -> bool:
    return _is_title(sentence) or bool(_ANNOUNCES.search(sentence))


def unit_of(text: str, sentence: str) -> str:
    """The unit in a text that contains a sentence; the sentence itself if there is none."""
    start = text.find(sentence)
    if start < 0:
        return sentence
    lines = lines_of(text)
    end = start + len(sentence)
    line = next(n for n, one in enumerate(lines) if one.end > start)
    first, last = _list_around(lines, line)
    if not last and lines[line].end == end:
        first = start
        if _ANNOUNCES.search(sentence):
            last = _end_of_items(lines, line, plain=True)
        elif _is_title(lines[line].text):
            last = _end_of_body(lines, line)
    return text[first:last] if last and last - first <= MAX_CHARACTERS else sentence


def _is_title(line: str) -> bool:
    return is_heading(line.rstrip('"”’」')) and not line[0].islower()


def _is_item(line: str) -> bool:
    """Whether a line has a bullet, or begins with a small letter like an item whose bullet is drawn as a shape."""
    return bool(BULLET.match(line)) or (line[0].islower() and is_heading(line))


def _list_around(lines: Sequence[Line], line: int) -> tuple[int, int]:
    """The span of the list that a line belongs to, including the line that introduces it; 0, 0 if it is no item."""
    first = last = line
    if not _is_item(lines[line].text):
        return 0, 0
    while first and _are_alike(lines[first - 1].text, lines[line].text):
        first -= 1
    while last + 1 < len(lines) and _are_alike(lines[last + 1].text, lines[line].text):
        last += 1
    if last == first:
        return 0, 0
    above = lines[first - 1].text if first else ""
    introduced = bool(above) and (bool(_ANNOUNCES.search(above)) or _is_title(above))
    return lines[first - introduced].start, lines[last].end


def _are_alike(one: str, other: str) -> bool:
    """Whether two lines are both items with bullets, or both without."""
    return _is_item(one) and bool(BULLET.match(one)) is bool(BULLET.match(other))


def _end_of_body(lines: Sequence[Line], line: int) -> int:
    """Where the sentence, the items, or both below the heading at `line` end; 0 if there are none."""
    if line + 1 == len(lines):
        return 0
    below = lines[line + 1]
    if _is_item(below.text) or _goes_on(below.text):
        return _end_of_items(lines, line, long=True)
    if _ANNOUNCES.search(below.text):
        return _end_of_items(lines, line + 1, plain=True)
    start, end = sentence_spans(below.text)[0]
    if end - start < _MIN_PROSE or not _SENTENCE.search(below.text[start:end]):
        return 0
    return _end_of_items(lines, line + 1) or below.start + end


def _goes_on(line: str) -> bool:
    return line[0].islower() and not _SENTENCE.search(line)


def _end_of_items(lines: Sequence[Line], line: int, *, plain: bool = False, long: bool = False) -> int:
    """Where the last item below a line ends; 0 if there are fewer than two.

    `plain`: short lines without bullets are items, too; `long`: so are lines of any length that begin with a small
    letter.
    """
    items: list[Line] = []
    for one in lines[line + 1 : line + 1 + MAX_ITEMS]:
        if not (_is_item(one.text) or (plain and is_heading(one.text)) or (long and _goes_on(one.text))):
            # A short line with a sentence below it is not the last item, but the heading of that sentence.
            if items and not _is_item(items[-1].text) and _SENTENCE.search(one.text):
                items.pop()
            break
        if items and bool(BULLET.match(one.text)) is not bool(BULLET.match(items[0].text)):
            break  # a numbered heading below items without numbers
        items.append(one)
    return items[-1].end if len(items) > 1 else 0
