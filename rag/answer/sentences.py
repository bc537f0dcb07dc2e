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
_MAX_LINE = 2_000  # characters of a line that are looked at before its end
_MIN_WRAPPED = 60  # characters of a line that may continue on the next one
_PROSE_END = re.compile(r"[^\W\d_]{2},?$")  # a word, because table rows end with values
_PROSE = re.compile(r"(?:\b[a-z]{2,}\b\W{1,3}){4}")  # words in small letters, which the names in a row are not
_ITEM = re.compile(r"\(?[a-z]{1,4}[.)]\s")  # "b) any fraud", of a list
_LAST_WORD = re.compile(r"[^\s(\[“\"']+$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences as [start, end) spans in order, without surrounding white space.

    A sentence ends at Chinese and English end marks, including closing quotes, and at a line break. It continues after
    an abbreviation, an initial, the number of a list item, and before a small letter; at a line break only if a line of
    prose continues on the next one.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.group().startswith(".") and _continues(text, start, match.start(), match.end()):
            continue
        if match.group() == "\n" and _wraps(text, match.start(), match.end()):
            continue
        _append_span(spans, text, start, match.end())
        start = match.end()
    _append_span(spans, text, start, len(text))
    return spans


def split_sentences(text: str) -> list[str]:
    """The sentences, without white space around them."""
    return [text[start:end] for start, end in sentence_spans(text)]


def distinct_sentences(text: str, characters: int) -> list[str]:
    """The different sentences of a text that contain a letter or a digit, each cut to this many characters."""
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
    """Whether the sentence from `start` continues after the full stops text[stop:end]."""
    after = text[end : end + 2].lstrip()
    if after and after[0].islower():
        return True
    match = _LAST_WORD.search(text, max(start, stop - _MAX_WORD), stop)
    word = match.group().lower() if match else ""
    if word.isdigit() and not text[start:stop].strip().removesuffix(word):  # "1." of a list item
        return True
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and text[stop - 1].isupper())


def _wraps(text: str, stop: int, end: int) -> bool:
    """Whether the line that ends at `stop` is prose that continues on the next one, from `end`."""
    line = text[text.rfind("\n", max(stop - _MAX_LINE, 0), stop) + 1 : stop].rstrip()
    if len(line) < _MIN_WRAPPED or not _PROSE_END.search(line[-_MAX_WORD:]) or not _PROSE.search(line):
        return False
    return text[end : end + 1].islower() and _ITEM.match(text, end) is None


def without_instructions(question: str) -> str:
    """A question up to its last question mark: what follows says how to answer ("Answer in USD millions. …")."""
    end = max(question.rfind("?"), question.rfind("？"))
    return question[: end + 1] if end >= 0 else question
