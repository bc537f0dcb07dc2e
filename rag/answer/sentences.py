"""Text -> sentences, in Chinese and English. Shared by what quotes sentences and by what checks them."""

from __future__ import annotations

import re

# Words that end with a point inside a sentence. Lower case, without the point.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr inc corp co ltd llc plc vs no nos vol fig figs eq art sec pp p ed eds al cf e.g i.e"
    " etc approx dept est gen gov hon lt col sgt rev jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m"
    " ph.d".split()
)
_END = re.compile(r"""[。！？!?；]+[”’」』）)"']*|\.+[”’)"'\]]*(?=\s|$|\[)|\n+""")
_WORD_BEFORE = re.compile(r"[^\s(\[“\"']+$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Sentences as [start, end) spans without white space around them, in order.

    A sentence ends at Chinese or English end marks (closing quotes included) and at a line break; not at the point of
    an abbreviation, an initial, or a number.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.group().startswith(".") and _goes_on(text, start, match.start(), match.end()):
            continue
        _append_span(found, text, start, match.end())
        start = match.end()
    _append_span(found, text, start, len(text))
    return found


def split_sentences(text: str) -> list[str]:
    """Sentences as texts."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _append_span(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        left = start + len(piece) - len(piece.lstrip())
        found.append((left, left + len(stripped)))


def _goes_on(text: str, start: int, point: int, end: int) -> bool:
    """Whether the point at `point` stands inside a sentence: abbreviation, initial, or a small letter after it."""
    after = text[end : end + 2].lstrip()
    if after and after[0].islower():
        return True
    word = _WORD_BEFORE.search(text, max(start, point - 20), point)
    before = word.group().lower() if word else ""
    if before.isdigit() and not text[start:point].strip().removesuffix(before):  # "1." of a list
        return True
    return before in _ABBREVIATIONS or (len(before) == 1 and before.isalpha() and text[point - 1].isupper())
