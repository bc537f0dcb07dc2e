"""Characters and words as they should be searched: ligatures, invisible characters, hyphens at line ends.

Knows nothing of pages or geometry (`lines` does) and nothing of PDF. All of it is linear in the text: no regular
expression here can backtrack, and normalisation, quadratic in a run of combining marks, is kept to short words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from datetime import date
from functools import cache

from rag.language import joins_without_space, limit_marks

MOST_NORMALISED = 200  # characters of a word; longer ones are no word of any language
SENTENCE_ENDS = frozenset(".!?:;。！？；：…")
CLOSERS = "\"'”’»)]）】》」』〉〕］"
# A word part before a hyphen that is a word of its own: the hyphen belongs there, line end or not.
HYPHEN_STAYS = frozenset(
    ("all", "cross", "ex", "full", "half", "high", "long", "low", "mid", "multi", "non", "off", "on", "one",
     "part", "post", "pre", "self", "semi", "short", "single", "third", "two", "three", "four", "five", "six",
     "seven", "eight", "nine", "ten", "twenty", "thirty", "forty", "fifty", "well", "year", "month", "day")
)  # fmt: skip
# Radicals that macOS and some subset fonts give for the character itself, and NFKC leaves alone
# (EquivalentUnifiedIdeograph.txt of the Unicode Character Database).
RADICALS = dict(
    zip(
        "⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳",
        "西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐齿龙龟",
        strict=True,
    )
)
SAFE_TO_FOLD = (  # ranges in which NFKC changes the form of a letter and not its meaning
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
    """What `str.translate` puts for a character: its plain form."""
    table = {ord(radical): plain for radical, plain in RADICALS.items()}
    for first, last in SAFE_TO_FOLD:
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            if plain != chr(code) and " " not in plain:
                table[code] = plain
    return table | {0x2010: "-", 0x2011: "-"} | dict.fromkeys(map(ord, BULLETS), "•")


_UNPRINTABLE = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in INVISIBLE) + "]")


def clean_word(word: str) -> str:
    """A run without white space as it should be searched; "" when nothing of it can be seen."""
    if word.isascii() and word.isprintable():
        return word
    word = limit_marks(_UNPRINTABLE.sub("", word.translate(_characters())))
    if len(word) <= MOST_NORMALISED:
        word = unicodedata.normalize("NFC", word)
    return "".join(word.split())


def needs_cleaning(text: str) -> bool:
    """Whether `clean_word` would change any word of the text; cheap, and True when in doubt."""
    return not all(map(_plain, set(text)))


@cache
def _plain(character: str) -> bool:
    """Whether it stays as it is wherever it stands: no combining mark either."""
    return character.isspace() or character == "\ufffe" or (
        clean_word(character) == character and not unicodedata.combining(character)
    )  # fmt: skip


def clean_line(text: str, most: int = 300) -> str:
    """A title, label or name from inside a document: one line of visible text, at most so many characters."""
    words = (clean_word(word) for word in text[: most * 4].split())
    return " ".join(word for word in words if word)[:most].strip()


def ends_sentence(text: str) -> bool:
    """Whether the last sign of the text, closing quotes and brackets aside, ends a sentence or a clause list."""
    text = text[-20:].rstrip(CLOSERS)
    return text[-1:] in SENTENCE_ENDS


def between(before: str, after: str, spaced: bool = True) -> str:
    """White space for two words of one paragraph that a line end divides.

    Nothing between Chinese characters; between Chinese and Latin what the page does elsewhere (`spaced`).
    """
    chinese = joins_without_space(before[-1]), joins_without_space(after[0])
    if all(chinese):
        return ""
    if any(chinese):
        sign = before[-1] if chinese[0] else after[0]
        return " " if spaced and sign.isalnum() else ""
    return " "


def mend_hyphen(before: str, after: str, known: Container[str]) -> str | None:
    """The first of two words at a line end, without its hyphen where that was only put for the line.

    `before` ends with a hyphen. `known` holds the words of the document in lower case: "long-term" or "longterm",
    when one of them is there, decides. None: the hyphen is a dash, or no hyphen of a word at all.
    """
    part = before[:-1]
    head, tail = _last_letters(part), _first_letters(after)
    if not part or not (part[-1].isalnum() and after[0].isalnum()):
        return None
    if not head or not tail or head != part.rpartition("-")[2].lstrip("(“\"'‘["):
        return before
    together, apart = (head + tail).lower(), f"{head}-{tail}".lower()
    if apart in known and together not in known:
        return before
    if together in known:
        return part
    if not tail[0].islower() or len(head) < 2 or head.lower() in HYPHEN_STAYS or "-" in part:
        return before
    return part


def _last_letters(text: str) -> str:
    match = re.search(r"[^\W\d_]{1,60}\Z", text[-60:])
    return match.group() if match else ""


def _first_letters(text: str) -> str:
    match = re.match(r"[^\W\d_]{1,60}", text)
    return match.group() if match else ""


def iso_date(text: str) -> str:
    """The date of a PDF date string, "D:20230105161720-05'00'" (PDF 32000-1, 7.9.4), as 2023-01-05; "" if none."""
    match = re.match(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?", text.strip())
    if not match:
        return ""
    year, month, day = (int(part) if part else 1 for part in match.groups())
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def meaningful_title(title: str) -> str:
    """A title from the metadata, "" when it says nothing: a placeholder, a number, a file's name."""
    title = re.sub(r"^Microsoft \w+ - ", "", clean_line(title))
    empty = {"anonymous", "(anonymous)", "untitled", "unspecified", "(unspecified)", "title", "document", "无标题"}
    letters = sum(character.isalpha() for character in title)
    is_file = re.search(r"\.(docx?|pptx?|xlsx?|pdf|indd|qxd|tex|dvi|html?|txt|wpd|fm)\Z", title, re.IGNORECASE)
    return "" if title.lower() in empty or letters < 2 or is_file else title
