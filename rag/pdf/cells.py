"""Words of a text line -> values: numbers with their signs, dashes for empty cells, and what a value means.

The first step of finding tables (`rag.pdf.tables`). Knows words and their positions, not columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rag.language import joins_without_space
from rag.records import WordBoxes

_CURRENCY = r"(?:US\$|HK\$|RMB|[$£€¥￥])"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_VALUE = re.compile(
    rf"^[(（\[]?[-–—−+]?{_CURRENCY}?[(（\[]?[-–—−]?(?P<number>{_NUMBER})(?:±(?:{_NUMBER}))?(?P<tail>[)）\]]?[%％]?[)）\]]?)"
    r"(?:pts?|bps|pp)?(?:\(\w\)|[*†‡])?$"
)
_DASH = re.compile(rf"^(?:{_CURRENCY}?[-–—−]{{1,3}}|n/?a|N/?A|nil|N/?M|[Ff]lat|不适用|不適用)%?$")
_PREFIX = re.compile(rf"^[(（\[]?{_CURRENCY}[(（\[]?$|^[(（\[]$")  # a currency sign in a column of its own
_SUFFIX = re.compile(r"^(?:[)）\]]?[%％]?[)）\]]?|(?:bps|pts?|pp|ppt|x)[)\]]?)$")
_PERIOD = re.compile(r"^(?:years?|yrs?|months?|days?|年度?|个月|天|倍|times)$", re.IGNORECASE)  # "6.5 years" in a cell
_MONTH = re.compile(r"^(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*[.,]?$", re.IGNORECASE)
_DAY = re.compile(r"^\d{1,2},?$")
_YEAR = re.compile(r"^(?:FY\s?)?(?:19|20)\d\d(?:[AEF]|\s?年度?)?(?:\(\w\))?[.,]?$")
_YEAR_INSIDE = re.compile(r"(?:19|20)\d\d")
_RANGE_SIGNS = ("-", "–", "—", "to", "~", "至")
_SENTENCE_END = re.compile(r"(?<!\bInc)(?<!\bCorp)(?<!\bCo)(?<!\bLtd)\.[)”\"]?$|。$")
_TRAILING_CURRENCY = re.compile(rf"(?<!\s)\s*{_CURRENCY}$")

MAX_VALUE_CHARACTERS = 40  # of a number; a longer one is a code
MAX_VALUE_WORDS = 6  # "$", "(", "1,577", ")", "%"
MAX_HEADER_CHARACTERS = 60  # of headers on two lines that were joined as if they were a paragraph
MAX_HEADER_ROWS = 6  # visual lines of such headers
HEADER_GAP = 4.0  # widths of a character between two of them
MIN_SENTENCE_CHARACTERS = 60  # of a line with a full stop that is a sentence, and no label
ONE_LINE = 1.9  # times the height of a word: the height of one visual line
FEW_LINES = 4  # the same for a row whose label is broken over several visual lines


@dataclass(slots=True)
class Word:
    """A word of a page: its text, its character span in the page's text, its box as fractions of the page."""

    text: str
    start: int
    end: int
    left: float
    right: float
    top: float
    bottom: float


@dataclass(slots=True)
class Value:
    """A value on its line, with the words it is made of ("$", "1,577", ")")."""

    words: list[Word]
    column: int = -1  # set by `rag.pdf.tables`; -1 for a number that is part of a label

    @property
    def left(self) -> float:
        """Left edge, fraction of the page."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Right edge, fraction of the page."""
        return self.words[-1].right

    @property
    def text(self) -> str:
        """As printed."""
        return joined(self.words)


@dataclass(slots=True)
class Line:
    """A line of the page's text: a table row, or a paragraph."""

    words: list[Word]
    values: list[Value]
    flat: bool  # its words stand side by side, as in a row
    unit: str = ""  # text after the values, in a column of its own: "mA"
    heading: bool = False  # a year that starts a section of rows

    @property
    def text(self) -> str:
        """The line as one string."""
        return joined(self.words)

    @property
    def left(self) -> float:
        """Left edge, fraction of the page."""
        return self.words[0].left

    @property
    def top(self) -> float:
        """Upper edge, fraction of the page."""
        return min(word.top for word in self.words)

    @property
    def bottom(self) -> float:
        """Lower edge, fraction of the page."""
        return max(word.bottom for word in self.words)

    def label(self) -> list[Word]:
        """The words that are not part of a value in a column."""
        taken = {id(word) for value in self.values if value.column >= 0 for word in value.words}
        return [word for word in self.words if id(word) not in taken]

    def is_sentence(self) -> bool:
        """Whether it is a sentence of running text rather than a row or a label."""
        text = self.text
        return len(text) >= MIN_SENTENCE_CHARACTERS and not self.trailing() and _SENTENCE_END.search(text) is not None

    def trailing(self) -> list[Value]:
        """The values at the end of the line, with nothing between them."""
        found: list[Value] = []
        end = len(self.words)
        for value in reversed(self.values):
            if self.words[end - 1] is not value.words[-1]:
                break
            found.append(value)
            end -= len(value.words)
        return found[::-1]


def joined(words: Sequence[Word]) -> str:
    """The words with spaces between them, except where the text has none, or Chinese continues on the next line."""
    parts = [word.text for word in words[:1]]
    for before, word in pairwise(words):
        unspaced = joins_without_space(before.text[-1]) and joins_without_space(word.text[0])
        parts += [word.text] if before.end == word.start or unspaced else [" ", word.text]
    return "".join(parts)


def is_year(text: str) -> bool:
    """Whether a value is a year: 2019, FY2019, 2019A."""
    return bool(_YEAR.match(text))


def years_in(text: str) -> set[str]:
    """The years in a text, such as a header."""
    return set(_YEAR_INSIDE.findall(text))


def parse_value(text: str) -> tuple[float | None, bool]:
    """(number, whether it is a percentage); None for a dash. Parentheses or a minus sign make it negative."""
    compact = text.replace(" ", "")
    match = _VALUE.match(compact) or _VALUE.match(re.sub(r"(?<![a-z年个月天倍])[a-z年个月天倍]+(\)?)$", r"\1", compact))
    if match is None:
        return None, compact.endswith(("%", "％"))
    before = compact[: match.start("number")]
    negative = any(sign in before for sign in "(（-–—−")
    number = float(match["number"].replace(",", ""))
    return -number if negative else number, any(sign in match["tail"] for sign in "%％")


def without_currency(label: str) -> str:
    """A row's label without the currency sign of the first column, dot leaders and colon."""
    return _TRAILING_CURRENCY.sub("", label).rstrip(" .…:：")


def lines_of(text: str, boxes: WordBoxes) -> list[Line]:
    """The words of a page by the lines of its text."""
    lines: list[Line] = []
    words: list[Word] = []
    last = 0
    for (start, end), (left, top, right, bottom) in zip(boxes.spans.tolist(), boxes.boxes.tolist(), strict=True):
        if words and "\n" in text[last:start]:
            lines += _lines(words)
            words = []
        words.append(Word(text[start:end], start, end, left, right, top, bottom))
        last = end
    return [*lines, *_lines(words)] if words else lines


def character_width(lines: Sequence[Line]) -> float:
    """Usual width of a character, fraction of the page."""
    widths = [(word.right - word.left) / len(word.text) for line in lines for word in line.words if len(word.text) > 2]
    return median(widths) if widths else 0.01


def segments(line: Line, gap: float) -> list[list[Word]]:
    """The words of a line, split where the gap is wider than `gap`, and between values."""
    starts = {id(value.words[0]) for value in line.values}
    ends = {id(value.words[-1]) for value in line.values}
    parts = [[line.words[0]]]
    for before, word in pairwise(line.words):
        if word.left - before.right > gap or (id(word) in starts and id(before) in ends):
            parts.append([])
        parts[-1].append(word)
    return parts


def visual_lines(words: Sequence[Word]) -> list[Line]:
    """Words grouped by their height on the page, from the top down, each line from left to right."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.top + word.bottom):
        middle, height = (word.top + word.bottom) / 2, word.bottom - word.top
        if rows and middle - (rows[-1][0].top + rows[-1][0].bottom) / 2 < 0.5 * height:
            rows[-1].append(word)
        else:
            rows.append([word])
    ordered = [sorted(row, key=lambda word: word.left) for row in rows]
    return [Line(row, _values(row), flat=True) for row in ordered]


def _lines(words: list[Word]) -> list[Line]:
    """The lines of a line of text: several if table rows were joined as if they were a paragraph."""
    line = _line(words)
    if line.flat:
        return [line]
    rows = visual_lines(words)
    side_by_side = all(a.words[-1].right < b.left or b.words[-1].right < a.left for a, b in pairwise(rows))
    apart = side_by_side or len(line.text) <= MAX_HEADER_CHARACTERS or _are_headers(rows)
    return rows if apart or any(len(row.trailing()) > 1 for row in rows) else [line]


def _are_headers(rows: Sequence[Line]) -> bool:
    """Whether a few visual lines are headers side by side: prose has no gaps as wide as theirs."""
    if len(rows) > MAX_HEADER_ROWS:
        return False
    return any(
        word.left - before.right > HEADER_GAP * (before.right - before.left) / len(before.text)
        for row in rows
        for before, word in pairwise(row.words)
    )


def _line(words: list[Word]) -> Line:
    """A line; paragraphs that were joined from several visual lines have no values."""
    height = max(median(word.bottom - word.top for word in words), 1e-6)
    span = max(word.bottom for word in words) - min(word.top for word in words)
    line = Line(words, _values(words), flat=True)
    if span < ONE_LINE * height:
        return line
    # A label broken over several visual lines, with its values next to it, is still a row.
    trailing = line.trailing()
    label = words[: len(words) - sum(len(value.words) for value in trailing)]
    if trailing and label and max(word.right for word in label) < trailing[0].left and span < FEW_LINES * height:
        return line
    return Line(words, [], flat=False)


def _is_number(text: str) -> bool:
    return len(text) <= MAX_VALUE_CHARACTERS and bool(_VALUE.match(text) or _DASH.match(text))


def _is_balanced(words: Sequence[Word]) -> bool:
    """Whether a parenthesis that closes was opened; "3)" of "(Note 3)" is no value."""
    text = "".join(word.text for word in words)
    return not any(close in text and sign not in text for sign, close in ("()", "（）", "[]"))


def _ends_range(values: Sequence[Value], word: Word) -> bool:
    """Whether a number ends a range such as "15 - 44", which is text."""
    if len(values) < 2 or not word.text[:1].isdigit() or values[-1].text not in _RANGE_SIGNS:
        return False
    near = word.bottom - word.top
    return values[-1].left - values[-2].right < near and word.left - values[-1].right < near


def _is_period(word: Word, value: Value, before: Word | None) -> bool:
    """Whether a word is the unit of a value that stands apart from the text before it: "6.5 years"."""
    if not _PERIOD.match(word.text):
        return False
    return before is None or value.left - before.right > 3 * max(word.left - value.right, 0.001)


def _values(words: Sequence[Word]) -> list[Value]:
    """The values among the words; days and years of dates are not values."""
    found: list[Value] = []
    prefix: list[Word] = []
    after_value = in_date = False
    before: Word | None = None  # the last word before the last value
    for word in words:
        if in_date and (_DAY.match(word.text) or is_year(word.text)):
            in_date, after_value = not is_year(word.text), False
            continue
        in_date = bool(_MONTH.match(word.text))
        if _PREFIX.match(word.text):
            prefix.append(word)
            after_value = False
        elif after_value and _ends_range(found, word):
            del found[-2:]
            after_value = False
        elif after_value and (word.text == "±" or found[-1].words[-1].text == "±"):
            found[-1].words.append(word)
        elif _is_number(word.text) and _is_balanced([*prefix[-2:], word]):
            found.append(Value([*prefix[-2:], word]))
            prefix, after_value = [], True
        elif after_value and len(found[-1].words) < MAX_VALUE_WORDS and _SUFFIX.match(word.text):
            found[-1].words.append(word)
        elif after_value and _is_period(word, found[-1], before):
            found[-1].words.append(word)
            after_value = False
        else:
            prefix, after_value = [], False
        before = word if not after_value else before
    return found
