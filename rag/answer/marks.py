"""Citation marks in an answer, `[1]`, `[1, 2]` or `【2†source】`: the one place that knows how readers write them.

GLM was trained on the form with lenticular brackets. Imports nothing of ours, so that the page can use it on text that
is streaming.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_NUMBERS = r"\d{1,3}(?:\s*[,，、]\s*\d{1,3})*"
_NOTE = r"†[^\[\]【】\n]{0,80}"  # what GLM adds after the number, such as "†source" or "†L10-L20"
_START = r"[^\S\n]{0,4}[\[【]\s*"  # with the spaces before it, so that none is left before a full stop
_MARK = re.compile(rf"{_START}({_NUMBERS})\s*(?:{_NOTE})?[\]】]")
_UNFINISHED = re.compile(rf"{_START}(?:{_NUMBERS}\s*(?:[,，、]\s*|{_NOTE})?)?\Z")


@dataclass(frozen=True, slots=True)
class CitationMark:
    """A mark that was removed from a text."""

    offset: int  # where it was, in the text without marks
    numbers: tuple[int, ...]  # of sources, as written: may be no source's
    length: int = field(default=0, compare=False)  # characters that it took, with the spaces before it


def extract_citation_marks(text: str) -> tuple[str, list[CitationMark]]:
    """The text without its marks, even one cut off at its end, and the complete marks in order."""
    text = cut_unfinished_mark(text)
    kept: list[str] = []
    marks: list[CitationMark] = []
    length = end = 0
    for match in _MARK.finditer(text):
        kept.append(text[end : match.start()])
        length += match.start() - end
        marks.append(CitationMark(length, _numbers_in(match), match.end() - match.start()))
        end = match.end()
    return "".join([*kept, text[end:]]), marks


def remove_citation_marks(text: str) -> str:
    """The text without its marks, even one cut off at its end."""
    return extract_citation_marks(text)[0]


def replace_citation_marks(text: str, replacement: Callable[[tuple[int, ...]], str]) -> str:
    """The text with each mark replaced by `replacement(numbers)`; one that was cut off at its end is removed."""
    return _MARK.sub(lambda match: replacement(_numbers_in(match)), cut_unfinished_mark(text))


def cut_unfinished_mark(text: str) -> str:
    """The text up to where an incomplete mark starts, so that half a mark is never shown."""
    match = _UNFINISHED.search(text)
    return text if match is None else text[: match.start()]


def _numbers_in(mark: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", mark[1]))
