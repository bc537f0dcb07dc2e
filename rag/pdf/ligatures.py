"""Restores the letters of ligatures that a font maps to nothing, or to only half of them. Runs in the child process.

Each character is replaced with one character, so that all keep their place and their box.
"""

from __future__ import annotations

import re

# The codes that the Cork encoding of TeX (T1) gives them, where a font without a map to Unicode passes codes on.
_CORK = str.maketrans("\x1b\x1c\x1d\x1e\x1f\x10\x11\x15\x16", "\ufb00\ufb01\ufb02\ufb03\ufb04“”–—")
_CODED = re.compile("[A-Za-z][\x1b-\x1f]|[\x1b-\x1f][a-z]")
_OTHER_CODES = re.compile("[\x00-\x08\x0b\x0c\x0e\x0f\x12-\x14\x17-\x1a]")  # of fonts whose letters are all unknown
# "ff" that is mapped to one "f", with a gap where its second half is drawn. Only what stands behind no such word.
_HALVED = re.compile(
    r"(?<![A-Za-z])(?:[A-Za-z-]{0,5}(?:[Aa]f (?=ect|ili|irm|luen|orda|orde|ordi)|[Ee]f (?=ect|ici|ort)"
    r"|[Dd]if (?=er|icul|us|rac)|[Ss]uf (?=er|ici|ix)|[Bb]uf (?=er)|[Ss]taf (?=ing|ed\b)|[Tt]raf (?=ic)|[Cc]of (?=ee))"
    r"|[Oo]f (?=er(?:s|ed|ings?)?\b|ic(?:ers?|ial(?:s|ly)?)\b))"
)
_MAY_BE_HALVED = re.compile(r"\b[Oo]f (?=(?:ices?|sets?|setting|shore|line)\b)")  # where others on the page are


def restore(text: str) -> str:
    """The text of a page with the letters of such ligatures, or the ligatures that Unicode has."""
    if _CODED.search(text) and not _OTHER_CODES.search(text):
        text = text.translate(_CORK)
    text, count = _HALVED.subn(lambda match: f"{match.group()[:-1]}f", text)
    return _MAY_BE_HALVED.sub(lambda match: f"{match.group()[:-1]}f", text) if count else text
