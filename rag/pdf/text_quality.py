"""How readable the text of a page is, and what kind of page it is.

A PDF reader may return gibberish without any error: glyph names, control characters, letters shifted by a constant,
Chinese in the wrong encoding, or what an earlier OCR made of a drawing. It is recognised without dictionaries: by
characters that are never text, by the frequencies of letters and pairs of letters, by the share of common Chinese
characters, and by the share of words among whatever is between spaces.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from rag.language import find_han, is_han
from rag.records import PageKind

GARBLED_BELOW = 0.5  # readability below which text is gibberish
DOUBTFUL_BELOW = 0.85  # readability below which another reader is asked
MIN_LETTERS = 100  # with fewer, frequencies say nothing
MIN_DISTINCT_LETTERS = 14  # a cipher uses most letters, a few words repeated over and over do not
MIN_PAIRS = 24  # of letters within words; fewer are not judged
MIN_NOISE = 60  # characters; fewer are not judged as noise
NOISE_FROM, ALL_NOISE = 0.5, 0.7  # shares of noise from which it counts, and at which nothing is readable
ALL_PUNCTUATION = 0.6  # share of ASCII punctuation from which all is noise; programs have up to 0.55, print 0.25
MAX_OPERATORS = 0.12  # share of operators and brackets up to which it may be noise; formulas and programs have more
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
# Frequent pairs of letters in European languages. Of the pairs in a sentence on revenue they are 88% in English, 80% in
# German, 83% in French, 57% in Polish, 38% in Welsh, and 13% to 29% in English whose letters are shifted by 1 or 29.
PAIRS = frozenset(
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic"
    " ne ea ra ce li ch ll be ma si om ur la el ta nc us et ac ec ns il ss di ee ca so po tr pr fo un no lo ge pe wh"
    " da qu ie ai ul wi pa sh ho ut rt id tt em ei sc ui os go mo do nu lu mi ni am im ol ir ad ia sp ly ay av ev iv"
    " up ap op su mp ct rs ts ds ff fi cu nq tu ue ub um uc ud ug ag eg ig gh ht ex pl pu vi va vo ze zu ke ck wa we"
    " ot iz".split()
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_LEADERS = re.compile(r"(\S)(?:\s?\1){3,}")  # rows of dots, dashes and the like
# A word, another script or mathematics, an abbreviation or code in capitals.
_NO_NOISE = re.compile(r"[^\W\d_]{3}|[\u0250-\u1fff\u2070-\U0003ffff]|\A[A-Z0-9]+(?:[-./][A-Z0-9]+)*\W?\Z")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_OPERATOR = re.compile(r"[=+<>()\[\]{}]")
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
    score = max(0.0, 1 - 2 * wrong / seen) * (1 - _noise(text))
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
    """How well the frequencies of Latin letters fit European languages, 0.05 to 1.

    Pearson's correlation r of the counts with LETTERS; r >= 0.4 gives 1. Of few letters the pairs are judged instead.
    Among digits and letters of other scripts, Latin letters are often codes and names, which fit nothing: below a
    share of ALL_LATIN they count less.
    """
    lower = text.lower()
    counts = [lower.count(letter) for letter in LETTERS]
    total = sum(counts)
    if total < 0.3 * len(text.split()):
        return 1.0
    if total < MIN_LETTERS:
        return 1 - _latin_weight(text, total) * (1 - _pair_fit(lower))
    if sum(map(bool, counts)) < MIN_DISTINCT_LETTERS:
        return 1.0
    mean, expected_mean = total / 26, sum(LETTERS.values()) / 26
    pairs = [(count - mean, share - expected_mean) for count, share in zip(counts, LETTERS.values(), strict=True)]
    spread = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    r = sum(a * b for a, b in pairs) / spread**0.5 if spread else 0.0
    fit = min(max(r / 0.4, 0.05), 1.0)
    return 1 - _latin_weight(text, total) * (1 - fit)


def _latin_weight(text: str, letters: int) -> float:
    """How much this many Latin letters say about a text: 0 to 1."""
    share = letters / max(len(_LETTER_OR_DIGIT.findall(text)), letters, 1)
    return min(max((share - FEW_LATIN) / (ALL_LATIN - FEW_LATIN), 0.0), 1.0)


def _pair_fit(lower: str) -> float:
    """How many of the pairs of letters within ASCII words are frequent ones, 0 to 1; a share of 0.6 gives 1."""
    words = [word for word in _WORD.findall(lower) if word.isascii()]
    pairs = [a + b for word in words for a, b in pairwise(word)]
    if len(pairs) < MIN_PAIRS:
        return 1.0
    return min(sum(pair in PAIRS for pair in pairs) / len(pairs) / 0.6, 1.0)


def _noise(text: str) -> float:
    """How much of a text is noise, as OCR gives it for drawings: 0 to 1.

    Single characters do not count, and where they prevail nothing does: some fonts space every letter. A text of
    punctuation is noise: fonts that number their letters from "!" on.
    """
    text = _LEADERS.sub(" ", text)
    seen = visible_characters(text)
    if seen >= MIN_NOISE and len(_PUNCTUATION.findall(text)) > ALL_PUNCTUATION * seen:
        return 1.0
    if len(_OPERATOR.findall(text)) > MAX_OPERATORS * seen:
        return 0.0
    pieces = text.split()
    longer = [piece for piece in pieces if len(piece) > 1]
    characters = sum(map(len, longer))
    if 2 * len(longer) < len(pieces) or characters < MIN_NOISE:
        return 0.0
    noise = sum(len(piece) for piece in longer if not (_NO_NOISE.search(piece) or _is_numeric(piece)))
    return min(max((noise / characters - NOISE_FROM) / (ALL_NOISE - NOISE_FROM), 0.0), 1.0)


def _is_numeric(piece: str) -> bool:
    """Whether at least half of its characters are digits."""
    return 2 * sum(map(str.isdigit, piece)) >= len(piece)


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
    """The kind of a page, from its text, its readability, and its objects.

    `images`, `paths`: number of such objects; `cover`: share of the page that its largest image covers.
    """
    seen = visible_characters(text)
    if seen and score < GARBLED_BELOW:
        return PageKind.GARBLED
    if cover >= SCAN_COVER and seen <= STAMP_CHARACTERS:
        return PageKind.SCANNED
    if seen:
        return PageKind.TEXT
    return PageKind.SCANNED if images or paths > 50 else PageKind.EMPTY
