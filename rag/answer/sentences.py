"""Text -> sentences, in Chinese and English. `benchmarks/LOG.md` compares it with a published splitter."""

from __future__ import annotations

import re

# Words that end with a full stop within a sentence, in lower case and without the full stop.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr inc corp co ltd llc plc vs no nos vol fig figs eq art sec pp p ed eds al cf e.g i.e"
    " etc approx dept est gen gov hon lt col sgt rev jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m"
    " ph.d".split()
)
_MAX_WORD = 20  # characters looked at before a full stop
# End marks with closing quotes and brackets; an ASCII full stop only before white space or a citation mark.
_END = re.compile(r"""[。！？!?；]+[”’」』）)"']*|(?<!\.)\.+[”’)"'\]]*(?=\s|$|\[)|\n+""")
_LAST_WORD = re.compile(r"[^\s(\[“\"']+$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences as [start, end) spans in order, without white space around them.

    A sentence ends at Chinese and English end marks, closing quotes included, and at a line break. It goes on after an
    abbreviation, an initial, the number of a list item, and before a small letter.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.group().startswith(".") and _continues(text, start, match.start(), match.end()):
            continue
        _append_span(spans, text, start, match.end())
        start = match.end()
    _append_span(spans, text, start, len(text))
    return spans


def split_sentences(text: str) -> list[str]:
    """The sentences, without white space around them."""
    return [text[start:end] for start, end in sentence_spans(text)]


def distinct_sentences(text: str, characters: int) -> list[str]:
    """The different sentences of a text that hold a letter or a digit, each cut to so many characters."""
    cut = (sentence[:characters] for sentence in split_sentences(text))
    return list(dict.fromkeys(sentence for sentence in cut if any(map(str.isalnum, sentence))))


def _append_span(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Append text[start:end] without white space around it, unless it is nothing else."""
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        left = start + len(piece) - len(piece.lstrip())
        spans.append((left, left + len(stripped)))


def _continues(text: str, start: int, stop: int, end: int) -> bool:
    """Whether the sentence from `start` goes on after the full stops text[stop:end]."""
    after = text[end : end + 2].lstrip()
    if after and after[0].islower():
        return True
    match = _LAST_WORD.search(text, max(start, stop - _MAX_WORD), stop)
    word = match.group().lower() if match else ""
    if word.isdigit() and not text[start:stop].strip().removesuffix(word):  # "1." of a list item
        return True
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and text[stop - 1].isupper())


def without_instructions(question: str) -> str:
    """A question up to its last question mark: what comes after says how to answer ("Answer in USD millions. …")."""
    end = max(question.rfind("?"), question.rfind("？"))
    return question[: end + 1] if end >= 0 else question
