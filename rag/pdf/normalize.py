"""Normalises characters and words for search: ligatures, invisible characters, hyphens at line ends.

Knows nothing of pages, geometry or PDF. Takes linear time on hostile text: no regular expression here backtracks, and
Unicode normalisation, which is quadratic in a run of combining marks, is limited to short words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from datetime import date
from functools import cache

from rag.language import joins_without_space, limit_marks

MAX_NORMALISED = 200  # characters; longer words are not normalised, since no language has them
SENTENCE_ENDS = frozenset(".!?:;。！？；：…")
CLOSERS = "\"'”’»)]）】》」』〉〕］"
# First parts of compounds that keep their hyphen at a line end: "long-term".
COMPOUND_PREFIXES = frozenset(
    ("all", "cross", "ex", "full", "half", "high", "long", "low", "mid", "multi", "non", "off", "on", "one",
     "part", "post", "pre", "self", "semi", "short", "single", "third", "two", "three", "four", "five", "six",
     "seven", "eight", "nine", "ten", "twenty", "thirty", "forty", "fifty", "well", "year", "month", "day")
)  # fmt: skip
# Radicals that macOS and some subset fonts yield instead of the character, and that NFKC keeps
# (EquivalentUnifiedIdeograph.txt of the Unicode Character Database).
RADICALS = dict(
    zip(
        "⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳",
        "西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐齿龙龟",
        strict=True,
    )
)
SAFE_TO_FOLD = (  # code points whose NFKC form differs in shape only, not in meaning
    (0x0132, 0x0133), (0x01C4, 0x01CC), (0x01F1, 0x01F3),  # IJ, DŽ, LJ, NJ, DZ
    (0x2160, 0x217F),  # Roman numerals
    (0x2F00, 0x2FD5),  # Kangxi radicals
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFB00, 0xFDCF), (0xFDF0, 0xFDFF), (0xFE70, 0xFEFC),  # Latin, Armenian, Hebrew, Arabic ligatures and forms
    (0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),  # full-width digits and letters, not punctuation
    (0xFF65, 0xFF9F), (0xFFA0, 0xFFDC),  # half-width Katakana and Hangul
    (0x1D400, 0x1D7FF),  # mathematical letters
)  # fmt: skip
INVISIBLE = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0xFFFE, 0xFFFF),
    (0xE0000, 0xE0FFF), (0xE000, 0xF8FF), (0xF0000, 0x10FFFF), (0xD800, 0xDFFF),
)  # fmt: skip
BULLETS = "\uf0b7\uf0a7\uf06e\uf076\uf0d8\uf0fc\uf0a8\uf071\uf06c\uf0b2"  # Symbol and Wingdings, private use


@cache
def _characters() -> dict[int, str]:
    """A table for `str.translate` from characters to their plain form."""
    table = {ord(radical): plain for radical, plain in RADICALS.items()}
    for first, last in SAFE_TO_FOLD:
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            if plain != chr(code) and " " not in plain:
                table[code] = plain
    return table | {0x2010: "-", 0x2011: "-"} | dict.fromkeys(map(ord, BULLETS), "•")


_UNPRINTABLE = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in INVISIBLE) + "]")


def clean_word(word: str) -> str:
    """A word in the form in which it is searched; "" if nothing of it is visible."""
    if word.isascii() and word.isprintable():
        return word
    word = limit_marks(_UNPRINTABLE.sub("", word.translate(_characters())))
    if len(word) <= MAX_NORMALISED:
        word = unicodedata.normalize("NFC", word)
    return "".join(word.split())


def needs_cleaning(text: str) -> bool:
    """Whether `clean_word` may change a word of the text. Cheap; may be True without need."""
    return not all(map(_plain, set(text)))


@cache
def _plain(character: str) -> bool:
    """Whether `clean_word` never changes it, in any context."""
    return character.isspace() or character == "\ufffe" or (
        clean_word(character) == character and not unicodedata.combining(character)
    )  # fmt: skip


def clean_line(text: str, max_characters: int = 300) -> str:
    """A title, label or name from inside a document, as one line of visible text."""
    words = (clean_word(word) for word in text[: max_characters * 4].split())
    return " ".join(word for word in words if word)[:max_characters].strip()


def ends_sentence(text: str) -> bool:
    """Whether the text ends with sentence punctuation or a colon, before closing quotes and brackets if any."""
    text = text[-20:].rstrip(CLOSERS)
    return text[-1:] in SENTENCE_ENDS


def space_between_lines(before: str, after: str, spaced: bool = True) -> str:
    """White space to put between two words of one paragraph where a line ends.

    "" between Chinese characters; between Chinese and Latin a space if the page has one elsewhere (`spaced`).
    """
    chinese = joins_without_space(before[-1]), joins_without_space(after[0])
    if all(chinese):
        return ""
    if any(chinese):
        sign = before[-1] if chinese[0] else after[0]
        return " " if spaced and sign.isalnum() else ""
    return " "


def mend_hyphen(before: str, after: str, known: Container[str]) -> str | None:
    """The first of two words at a line end, without its hyphen if the hyphen only divides a word.

    `before` ends with a hyphen. `known` holds the words of the document in lower case: if "long-term" or "longterm"
    is among them, that decides. None: it is a dash, or not a hyphen within a word.
    """
    part = before[:-1]
    head, tail = _last_letters(part), _first_letters(after)
    if not part or not (part[-1].isalnum() and after[0].isalnum()):
        return None
    if not head or not tail or head != part.rpartition("-")[2].lstrip("(“\"'‘["):
        return before
    # Follow the document's own spelling, if it has the word elsewhere.
    solid, hyphenated = (head + tail).lower(), f"{head}-{tail}".lower()
    if hyphenated in known and solid not in known:
        return before
    if solid in known:
        return part
    # Otherwise keep hyphens of names, abbreviations and compounds.
    if not tail[0].islower() or len(head) < 2 or head.lower() in COMPOUND_PREFIXES or "-" in part:
        return before
    return part


def _last_letters(text: str) -> str:
    match = re.search(r"[^\W\d_]{1,60}\Z", text[-60:])
    return match.group() if match else ""


def _first_letters(text: str) -> str:
    match = re.match(r"[^\W\d_]{1,60}", text)
    return match.group() if match else ""


def iso_date(text: str) -> str:
    """The ISO date, 2023-01-05, in a PDF date string "D:20230105161720-05'00'" (PDF 32000-1, 7.9.4); "" if invalid."""
    match = re.match(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?", text.strip())
    if not match:
        return ""
    year, month, day = (int(part) if part else 1 for part in match.groups())
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def meaningful_title(title: str) -> str:
    """A title from the metadata; "" if it is a placeholder, a number or a file name."""
    title = re.sub(r"^Microsoft \w+ - ", "", clean_line(title))
    placeholders = {
        "anonymous",
        "(anonymous)",
        "untitled",
        "unspecified",
        "(unspecified)",
        "title",
        "document",
        "无标题",
    }
    letters = sum(character.isalpha() for character in title)
    is_file = re.search(r"\.(docx?|pptx?|xlsx?|pdf|indd|qxd|tex|dvi|html?|txt|wpd|fm)\Z", title, re.IGNORECASE)
    return "" if title.lower() in placeholders or letters < 2 or is_file else title
