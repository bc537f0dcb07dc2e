"""How readable the text of a page is, and what kind of page it is.

A PDF reader may return gibberish without any error: glyph names, control characters, letters shifted by a constant,
Chinese in the wrong encoding. It is recognised without dictionaries, by characters that are never text, by letter
frequencies, and by the share of common Chinese characters.
"""

from __future__ import annotations

import re
from functools import cache

from rag.language import find_han, is_han
from rag.records import PageKind

GARBLED_BELOW = 0.5  # readability below which text is gibberish
DOUBTFUL_BELOW = 0.85  # readability below which another reader is asked
MIN_LETTERS = 100  # fewer are not judged by their frequencies
MIN_DISTINCT_LETTERS = 14  # a cipher uses most letters, a few words repeated over and over do not
FEW_LATIN, ALL_LATIN = 0.5, 0.75  # shares of Latin letters among all letters and digits
STAMP_CHARACTERS = 30  # visible; a scanned page may have as many in its page number or stamp
SCAN_COVER = 0.6  # share of the page that the image of a scan covers at least
# Letter frequencies in percent, the mean of English, German, French, Spanish, Italian, Portuguese and Polish
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
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_HIGH_LATIN = re.compile("[\u00a1-\u00ff]")


def visible_characters(text: str) -> int:
    """Number of characters that are not white space."""
    return sum(map(len, text.split()))


def readability(text: str) -> float:
    """Readability of a text, from 0 (gibberish) to 1; 1 for an empty text."""
    seen = visible_characters(text)
    if not seen:
        return 1.0
    # Count characters that are never text, and glyph names.
    wrong = len(_NO_TEXT.findall(text)) + sum(len(name) for name in _GLYPH_NAME.findall(text))
    score = max(0.0, 1 - 2 * wrong / seen)
    if text.isascii():
        return score * _letter_fit(text)
    # Many accented letters and signs: another encoding read as Latin-1.
    if len(_HIGH_LATIN.findall(text)) > 0.3 * seen:
        score *= 0.3
    # Rare Chinese characters: Chinese read in the wrong encoding.
    han = find_han(text)
    if len(han) > 20:
        score *= _common_share(han)
    return score * _letter_fit(text)


def _letter_fit(text: str) -> float:
    """How well the frequencies of Latin letters fit European languages, 0.05 to 1; 1 if there are too few letters.

    Pearson's correlation r of the counts with LETTERS; r >= 0.4 gives 1. Among digits and letters of other scripts,
    Latin letters are often codes and names, which fit nothing: below a share of ALL_LATIN they count less.
    """
    lower = text.lower()
    counts = [lower.count(letter) for letter in LETTERS]
    total = sum(counts)
    if total < MIN_LETTERS or sum(map(bool, counts)) < MIN_DISTINCT_LETTERS or total < 0.3 * len(text.split()):
        return 1.0
    mean, expected_mean = total / 26, sum(LETTERS.values()) / 26
    pairs = [(count - mean, share - expected_mean) for count, share in zip(counts, LETTERS.values(), strict=True)]
    spread = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    r = sum(a * b for a, b in pairs) / spread**0.5 if spread else 0.0
    fit = min(max(r / 0.4, 0.05), 1.0)
    share = total / max(len(_LETTER_OR_DIGIT.findall(text)), total)
    weight = min(max((share - FEW_LATIN) / (ALL_LATIN - FEW_LATIN), 0.0), 1.0)
    return 1 - weight * (1 - fit)


def _common_share(han: list[str]) -> float:
    """Share of common characters among Chinese ones, 0 to 1; a share of 0.9 gives 1."""
    common = _common_han()
    return min(sum(character in common for character in han) / len(han) / 0.9, 1.0)


@cache
def _common_han() -> frozenset[str]:
    """The first-level characters of GB 2312 (3,755), Big5 (5,401) and JIS X 0208 (2,965)."""
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
    """The kind of a page, from its text and the text's readability, its number of image and path objects, and the
    share of the page that its largest image covers.
    """
    seen = visible_characters(text)
    if seen and score < GARBLED_BELOW:
        return PageKind.GARBLED
    if cover >= SCAN_COVER and seen <= STAMP_CHARACTERS:
        return PageKind.SCANNED
    if seen:
        return PageKind.TEXT
    return PageKind.SCANNED if images or paths > 50 else PageKind.EMPTY
