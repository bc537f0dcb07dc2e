"""How readable a page's text is, and what kind of page that makes it.

Text can come out of a PDF without any error and stand for nothing: glyph names, control characters, letters
shifted by a constant, Chinese in the wrong encoding. Nothing here knows words of a language; it knows which
characters are no text, how often letters occur, and which Chinese characters are common.
"""

from __future__ import annotations

import re
from functools import cache

from rag.language import find_han, is_han
from rag.records import PageKind

GARBLED_BELOW = 0.5  # readability
DOUBTFUL_BELOW = 0.85  # readability under which a second reader is asked
FEW_LETTERS = 100  # too few to judge by their frequencies
FEW_KINDS = 14  # different letters; a cipher uses most of them, the same few words over and over do not
STAMP = 30  # visible characters: no more than a page number or a stamp on a scanned page
WHOLE_PAGE = 0.6  # share of the page that a picture covers when the page is a scan
# Percent of letters in running text: the mean of English, German, French, Spanish, Italian, Portuguese and Polish
# (rounded from en.wikipedia.org/wiki/Letter_frequency).
LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (9.5, 1.5, 3.6, 4.2, 13.0, 1.4, 1.6, 2.2, 7.6, 0.6, 0.9, 4.7, 2.9, 7.0, 7.5, 2.6, 0.6, 6.4, 6.2, 6.5, 3.9,
         1.4, 1.0, 0.3, 1.2, 1.2),
        strict=True,
    )
)  # fmt: skip
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\uffff\ue000-\uf01f\uf100-\uf8ff\U000f0000-\U0010ffff\ufdd0-\ufdef]"
)
_GLYPH_NAME = re.compile(r"(?:/(?:g|G|C|cid|CID|glyph|uni|SM|H)[0-9A-Fa-f]{1,5}|\(cid:\d{1,5}\)|/\.notdef)(?![a-z])")
_HIGH_LATIN = re.compile("[\u00a1-\u00ff]")


def visible_characters(text: str) -> int:
    """Number of characters that are no white space."""
    return sum(map(len, text.split()))


def readability(text: str) -> float:
    """From 0, gibberish, to 1; 1 for no text at all."""
    seen = visible_characters(text)
    if not seen:
        return 1.0
    wrong = len(_NO_TEXT.findall(text)) + sum(len(name) for name in _GLYPH_NAME.findall(text))
    score = max(0.0, 1 - 2 * wrong / seen)
    if text.isascii():
        return score * _letters(text)
    if len(_HIGH_LATIN.findall(text)) > 0.3 * seen:  # another encoding read as Latin-1
        score *= 0.3
    han = find_han(text)
    if len(han) > 20:
        score *= _common_share(han)
    return score * _letters(text)


def _letters(text: str) -> float:
    """1 where the Latin letters are as frequent as in European text, less where they are not, as in a cipher.

    Cosine of the deviations from equal frequency (Pearson's r), 0.4 and more being as good as 1.
    """
    lower = text.lower()
    counts = [lower.count(letter) for letter in LETTERS]
    total = sum(counts)
    if total < FEW_LETTERS or sum(map(bool, counts)) < FEW_KINDS or total < 0.3 * len(text.split()):
        return 1.0
    mean, expected_mean = total / 26, sum(LETTERS.values()) / 26
    pairs = [(count - mean, share - expected_mean) for count, share in zip(counts, LETTERS.values(), strict=True)]
    spread = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    r = sum(a * b for a, b in pairs) / spread**0.5 if spread else 0.0
    return min(max(r / 0.4, 0.05), 1.0)


def _common_share(han: list[str]) -> float:
    """Share of common characters, 0.9 and more being as good as 1: wrong encodings give rare ones."""
    common = _common_han()
    return min(sum(character in common for character in han) / len(han) / 0.9, 1.0)


@cache
def _common_han() -> frozenset[str]:
    """First-level characters of GB 2312 (3,755), Big5 (5,401) and JIS X 0208 (2,965)."""
    levels = (("gb2312", range(0xB0, 0xD8)), ("big5", range(0xA4, 0xC7)), ("euc_jp", range(0xB0, 0xD0)))
    return frozenset(
        character
        for encoding, rows in levels
        for row in rows
        for cell in range(0x40, 0xFF)
        for character in bytes((row, cell)).decode(encoding, "ignore")
        if is_han(character)
    )


def classify(text: str, score: float, *, images: int = 0, paths: int = 0, cover: float = 0.0) -> PageKind:
    """Kind of a page from its raw text and that text's readability, its number of picture and of line objects, and
    the share of it that the largest picture covers.
    """
    seen = visible_characters(text)
    if seen and score < GARBLED_BELOW:
        return PageKind.GARBLED
    if cover >= WHOLE_PAGE and seen <= STAMP:
        return PageKind.SCANNED
    if seen:
        return PageKind.TEXT
    return PageKind.SCANNED if images or paths > 50 else PageKind.EMPTY
