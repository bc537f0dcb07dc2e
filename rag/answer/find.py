"""Finds a text on a page, ignoring case, character width, line breaks and typographic quotes."""

from __future__ import annotations

import re
import unicodedata

from rag.language import CJK

MAX_CHARACTERS = 200  # of a text to find; the rest is ignored

_SPACES = re.compile(r"\s+")
_GAP = re.compile(f"(?<=[{CJK}]) (?=[{CJK}])")  # Chinese is set without spaces, but lines break between its characters
_SAME = str.maketrans("‘’‚‛′“”„‟″‐‑‒–—―−", "'''''" + '"""""' + "-------") | {0xAD: ""}  # U+00AD: soft hyphen


class Folding(dict[int, str]):
    """For `str.translate`: maps each character to its folded form, computed when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = chr(code).translate(_SAME)
        self[code] = folded = unicodedata.normalize("NFKC", plain).casefold()
        return folded


def fold(text: str, folding: Folding) -> str:
    """The text as it is compared: white space in one blank, none between Chinese characters."""
    return _GAP.sub("", _SPACES.sub(" ", text.translate(folding)))


def wanted(text: str, folding: Folding) -> str:
    """What to look for, folded; "" if there is nothing."""
    return fold(unicodedata.normalize("NFC", text[:MAX_CHARACTERS]).strip(), folding)


def find_spans(text: str, needle: str, folding: Folding) -> list[tuple[int, int]]:
    """[start, end) in `text` of each place where the folded text holds `needle`; `fold(text).count(needle)` of them."""
    if not needle:
        return []
    folded, origins = _fold_with_origins(text, folding)
    spans = []
    at = folded.find(needle)
    while at >= 0:
        end = at + len(needle)
        spans.append((origins[at], origins[end - 1] + 1))
        at = folded.find(needle, end)
    return spans


def _fold_with_origins(text: str, folding: Folding) -> tuple[str, list[int]]:
    """As `fold`, with the index in `text` that each character comes from."""
    characters, origins = list[str](), list[int]()
    for index, character in enumerate(text):
        folded = folding[ord(character)]
        characters.append(folded)
        origins.extend([index] * len(folded))
    joined = "".join(characters)
    for pattern, blank in ((_SPACES, " "), (_GAP, "")):
        joined, origins = _replaced(pattern, blank, joined, origins)
    return joined, origins


def _replaced(pattern: re.Pattern[str], blank: str, text: str, origins: list[int]) -> tuple[str, list[int]]:
    """The text with each match of the pattern replaced by `blank`, and the origins of what is left."""
    pieces, kept, last = list[str](), list[int](), 0
    for found in pattern.finditer(text):
        pieces += (text[last : found.start()], blank)
        kept += origins[last : found.start() + len(blank)]
        last = found.end()
    return "".join((*pieces, text[last:])), kept + origins[last:]
