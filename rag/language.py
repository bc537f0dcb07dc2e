"""Scripts and characters: the one place for the Unicode ranges that tokenizer, layout and prompts depend on.

The ranges differ on purpose: each is the one that its user was measured or defined with. Constants in capitals are the
inside of a regular expression's character class. Imports nothing of ours.
"""

from __future__ import annotations

import functools
import re
import unicodedata

# Scripts written without spaces between words: Han, Hiragana, Katakana, Hangul syllables. No punctuation.
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f"
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese characters of the Basic Multilingual Plane
COMMON_HAN = "\u4e00-\u9fff"  # only the block "CJK Unified Ideographs"
KANA = "\u3040-\u30ff"
# Han, Kana, Bopomofo, and the punctuation and full-width forms used with them; no Hangul, since Korean has spaces.
UNSPACED = "\u2e80-\u312f\u31a0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff65\U00020000-\U0003ffff"
FIRST_EAST_ASIAN = 0x2E80  # Unicode has CJK radicals, followed by all of CJK, from this code point on

_CJK = re.compile(f"[{CJK}]")
_HAN = re.compile(f"[{HAN}]")
_KANA = re.compile(f"[{KANA}]")
_CHINESE = re.compile("[\u3400-\u9fff]")
_UNSPACED = re.compile(f"[{UNSPACED}]")

MAX_MARKS = 30  # combining marks in a row, as in Stream-Safe Text Format (UAX #15, section 13)
_LAST_MARK = 0x1F000  # from here on, Unicode assigns no combining marks except variation selectors


def is_cjk(character: str) -> bool:
    """Whether a letter is from a script without spaces, which BM25 splits into pairs of characters."""
    return _CJK.match(character) is not None


def is_han(character: str) -> bool:
    """Whether it is a Chinese character, for telling readable Chinese from a wrong encoding."""
    return _HAN.match(character) is not None


def find_han(text: str) -> list[str]:
    """All characters of the text for which `is_han` holds."""
    return _HAN.findall(text)


def joins_without_space(character: str) -> bool:
    """Whether lines that meet at such a character (CJK or full-width punctuation) are joined without a space."""
    return _UNSPACED.match(character) is not None


def mainly_chinese(text: str) -> bool:
    """Whether a text is Chinese (or Japanese, Korean) rather than alphabetic, to choose thresholds and reference pairs.

    A character of these scripts counts as three letters, which is about a short word.
    """
    cjk = 0 if text.isascii() else len(_CJK.findall(text))
    return cjk > 0 and cjk * 3 > sum(character.isalpha() for character in text) - cjk


def has_chinese_without_kana(text: str) -> bool:
    """Whether a question is in Chinese, for the prompt's language: Chinese characters and no Japanese kana."""
    return _CHINESE.search(text) is not None and _KANA.search(text) is None


def limit_marks(text: str) -> str:
    """Drop combining marks beyond `MAX_MARKS` in a row.

    Normalisation sorts each run of marks in quadratic time. No writing system comes near the limit.
    """
    if text.isascii() or max(map(len, text.split()), default=0) <= MAX_MARKS:  # cheap, and true of most text
        return text
    return _long_run().sub(lambda run: run.group()[:MAX_MARKS], text)


@functools.cache
def _long_run() -> re.Pattern[str]:
    """More than `MAX_MARKS` characters in a row that normalisation may reorder."""
    marks = "".join(chr(code) for code in range(0x300, _LAST_MARK) if _reorders(chr(code)))
    return re.compile(
        f"[{marks}][{marks}]{{{MAX_MARKS},}}"
    )  # starts with a plain class, so that re skips to the first mark


def _reorders(character: str) -> bool:
    """Whether the character, or the first one it decomposes to, has a combining class."""
    if "\ud800" <= character <= "\udfff":
        return False
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0


def count_east_asian(text: str) -> int:
    """How many characters of a text are wide, such as Chinese ones; a tokenizer needs about a token for each."""
    return sum(ord(character) >= FIRST_EAST_ASIAN for character in text)
