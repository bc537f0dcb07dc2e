"""From the words of a page and where they stand to lines, and from lines to paragraphs.

A table's rows stay on their own lines; the lines of a paragraph are joined. Which of the two it is, geometry
decides: a line was broken for want of room only when the next word would not have fitted before the margin.
Lengths are points. Knows nothing of PDF, nor of other pages.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from rag.language import FIRST_EAST_ASIAN, joins_without_space
from rag.pdf.normalize import between, clean_word, ends_sentence, mend_hyphen, needs_cleaning
from rag.records import WordBoxes

Boxes = npt.NDArray[np.float32]  # (n, 4) left, top, right, bottom, fractions of the page
Spans = npt.NDArray[np.int32]  # (n, 2) start and end character
LINE_HYPHEN = 0xFFFE  # what PDFium puts for a hyphen at the end of a line
SOFT_HYPHEN = 0xAD
BREAKS = np.array([LINE_HYPHEN, *map(ord, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")], np.uint32)
EM = 0.85  # of a line's height (ascender to descender), about
WIDE_GAP = 1.8  # ems between two words of one line: columns of a table, not a justified line
BULLET = re.compile(
    r"(?:[•·▪▫◦●○■□◆◇‣⁃∙➢✓–—*]|\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,4})[.)]|[（(]?[一二三四五六七八九十]{1,3}[)）、])\Z"
)
LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}|_{4,}")


@dataclass(slots=True)
class Line:
    """One visual line: words[first:last] of its page, and where it stands on the page in points."""

    first: int
    last: int
    left: float
    top: float
    right: float
    bottom: float
    gap: float = 0.0  # widest space between two words
    hyphen: bool = False  # PDFium saw a hyphen at its end; the word does not hold it

    @property
    def height(self) -> float:
        """Points from the ascenders to the descenders."""
        return max(self.bottom - self.top, 0.1)


@dataclass(slots=True)
class PageLayout:
    """A page on its way from words to text."""

    words: list[str]
    before: list[str]  # white space before each word: "" or " "; at the start of a line decided by `compose`
    boxes: Boxes  # as shown
    upright: Boxes  # the same, the page turned so that its text runs from left to right; lines are measured in it
    lines: list[Line]
    width: float  # of the page turned so
    height: float
    chinese: bool = False  # it holds Chinese, or other signs from beyond the Latin scripts
    placed: bool = True  # the boxes are real, not made up from columns of characters
    furniture: list[str] = field(default_factory=list)  # lines taken out, in reading order

    def text_of(self, line: Line) -> str:
        """The line alone, as one string."""
        parts = [self.words[line.first]]
        for index in range(line.first + 1, line.last):
            parts += (self.before[index], self.words[index])
        return "".join(parts)


def lay_out(
    text: str, spans: Spans, boxes: Boxes, width: float, height: float, same: dict[str, str] | None = None
) -> PageLayout:
    """Words and lines of a page. `spans` (n, 2) index `text`, ascending, without white space; a box for each.

    `same` collects the words of the document, so that each is kept in memory once.
    """
    words = [text[start:stop] for start, stop in spans.tolist()]
    if needs_cleaning(text):
        words = [clean_word(word) for word in words]
        if not all(words):
            kept = [row for row, word in enumerate(words) if word]
            words = [words[row] for row in kept]
            spans, boxes = spans[kept], boxes[kept]
    if same is not None:
        words = list(map(same.setdefault, words, words))
    if not words:
        return PageLayout([], [], boxes, boxes, [], width, height)
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)  # a code point each
    breaks = np.flatnonzero(np.isin(codes, BREAKS))
    breaks_before = np.searchsorted(breaks, spans[:, 0])  # (n,)
    first = np.ones(len(words), np.bool_)  # whether the word starts a line
    first[1:] = breaks_before[1:] > breaks_before[:-1]
    starts = np.flatnonzero(first)
    space = spans[1:, 0] > spans[:-1, 1]
    upright, width, height = _turned(boxes, first, width, height)
    lines = _measure(starts, upright, width, height)
    for number in _hyphens(codes, spans, starts):
        lines[number].hyphen = True
    return PageLayout(
        words=words,
        before=["", *(" " if there else "" for there in space.tolist())],
        boxes=boxes,
        upright=upright,
        lines=_merge_rows(lines) if upright is boxes else _in_order(_merge_rows(lines)),
        width=width,
        height=height,
        chinese=bool(codes.max() >= FIRST_EAST_ASIAN),
    )


def _turned(boxes: Boxes, first: npt.NDArray[np.bool_], width: float, height: float) -> tuple[Boxes, float, float]:
    """Boxes and size of the page turned so that most of its text runs from left to right.

    Text from right to left, as Arabic, stays: its lines go down the page, those of a page upside down go up.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) * np.array([width / 2, height / 2], np.float32)  # (n, 2) points
    steps = (centres[1:] - centres[:-1])[~first[1:]]  # from word to word within the lines
    along, down = np.abs(steps).sum(axis=0) if len(steps) else (1.0, 0.0)
    left, top, right, bottom = boxes.T
    if along >= down:
        lines_up = np.diff(centres[first, 1]).sum() < 0
        if len(steps) and steps[:, 0].sum() < 0 and lines_up:
            return np.stack([1 - right, 1 - bottom, 1 - left, 1 - top], axis=1), width, height
        return boxes, width, height
    if steps[:, 1].sum() > 0:  # it runs down, the lines follow each other to the left
        return np.stack([top, 1 - right, bottom, 1 - left], axis=1), height, width
    return np.stack([1 - bottom, left, 1 - top, right], axis=1), height, width


def _in_order(lines: list[Line]) -> list[Line]:
    """The lines from the top down where they come from the bottom up: PDFium reverses those of turned text."""
    ups = sum(b.bottom <= a.top + 0.5 * a.height and b.bottom < a.bottom for a, b in pairwise(lines))
    return lines[::-1] if len(lines) > 1 and ups > 0.8 * (len(lines) - 1) else lines


def _hyphens(codes: npt.NDArray[np.uint32], spans: Spans, starts: npt.NDArray[np.int64]) -> set[int]:
    """Numbers of the lines that PDFium or a soft hyphen says end within a word."""
    ends = spans[starts[1:] - 1, 1]  # where each line but the last ends
    found = (codes[ends] == LINE_HYPHEN) | (codes[ends - 1] == SOFT_HYPHEN)
    return set(np.flatnonzero(found).tolist())


def lay_out_plain(text: str, width: float, height: float) -> PageLayout:
    """As `lay_out`, for text without positions: each line's place is made up from its number and its columns."""
    spans: list[tuple[int, int]] = []
    rows: list[tuple[float, float, float, float]] = []
    em, start = 0.014, 0
    for number, line in enumerate(text.splitlines(keepends=True)):
        x, end, top = 0.0, 0, number * em * 1.2
        for match in re.finditer(r"\S+", line):
            wide = 1.0 if joins_without_space(match.group()[0]) else 0.5
            x += (match.start() - end) * em * 0.5
            right = x + len(match.group()) * em * wide
            spans.append((start + match.start(), start + match.end()))
            rows.append((x, top, right, top + em))
            x, end = right, match.end()
        start += len(line)
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    page = lay_out(text, np.array(spans, np.int32).reshape(-1, 2), boxes, 600.0, 600.0)
    page.width, page.height, page.placed = width, height, False
    return page


def _measure(starts: npt.NDArray[np.int64], boxes: Boxes, width: float, height: float) -> list[Line]:
    """Lines from the numbers of their first words."""
    lefts, tops = (np.minimum.reduceat(boxes[:, side], starts) for side in (0, 1))
    rights, bottoms = (np.maximum.reduceat(boxes[:, side], starts) for side in (2, 3))
    gaps = np.zeros(len(boxes), np.float32)
    gaps[1:] = boxes[1:, 0] - boxes[:-1, 2]
    gaps[starts] = 0
    wide = np.maximum.reduceat(gaps, starts)
    rows = zip(
        starts.tolist(), [*starts[1:].tolist(), len(boxes)], (lefts * width).tolist(), (tops * height).tolist(),
        (rights * width).tolist(), (bottoms * height).tolist(), (wide * width).tolist(), strict=True,
    )  # fmt: skip
    return [Line(*row) for row in rows]


def _merge_rows(lines: list[Line]) -> list[Line]:
    """Neighbours in reading order that stand side by side, as the cells of a table do, become one line."""
    merged: list[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        if last is not None and not last.hyphen and _beside(last, line):
            last.gap = max(last.gap, line.gap, line.left - last.right)
            last.last, last.right, last.hyphen = line.last, line.right, line.hyphen
            last.top, last.bottom = min(last.top, line.top), max(last.bottom, line.bottom)
        else:
            merged.append(line)
    return merged


def _beside(a: Line, b: Line) -> bool:
    smaller = min(a.height, b.height)
    overlap = min(a.bottom, b.bottom) - max(a.top, b.top)
    return overlap > 0.6 * smaller and b.left > a.right - 0.3 * smaller and max(a.height, b.height) < 2 * smaller


def join_lines(page: PageLayout, known: Container[str]) -> tuple[str, WordBoxes]:
    """The text of the page, a paragraph a line, and where its words stand.

    `known`: the words of the document in lower case, for hyphens at line ends.
    """
    lines = page.lines
    if not lines:
        return "", WordBoxes.none()
    before, words = page.before, list(page.words)
    margins = _margins(lines)
    spaced = _spaced(page)
    rows: list[int] = []
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else None
        goes_on = after is not None and _flows(page, line, after, margins[number])
        rows += range(line.first, line.last)
        join = _end_line(words, line, after if goes_on else None, known, spaced)
        if after is not None:
            before[after.first] = join
    before[lines[0].first] = ""
    return _assemble(page, words, rows)


def _end_line(words: list[str], line: Line, after: Line | None, known: Container[str], spaced: bool) -> str:
    """White space after the line, its last word mended; `after` is None at the end of a paragraph."""
    index = line.last - 1
    word = words[index] + "-" if line.hyphen else words[index]
    words[index] = word
    if after is None:
        return "\n"
    follower = words[after.first]
    if word.endswith("-") and len(word) > 1:
        mended = mend_hyphen(word, follower, known)
        if mended is not None:
            words[index] = mended
            return ""
    return between(word, follower, spaced)


def _assemble(page: PageLayout, words: list[str], rows: list[int]) -> tuple[str, WordBoxes]:
    """Join the words of `rows` with the white space before each; spans follow from the lengths."""
    natural = rows == list(range(len(words)))
    if not natural:
        words = [words[row] for row in rows]
        before = [page.before[row] for row in rows]
    else:
        before = page.before
    text = "".join(chain.from_iterable(zip(before, words, strict=True)))
    if not page.placed:
        return text + "\n", WordBoxes.none()
    count = len(words)
    lengths = np.fromiter(map(len, words), np.int32, count)
    ends = np.cumsum(lengths + np.fromiter(map(len, before), np.int32, count), dtype=np.int32)
    boxes = page.boxes if natural else page.boxes[rows]
    return text + "\n", WordBoxes(np.stack([ends - lengths, ends], axis=1), boxes)


def _spaced(page: PageLayout) -> bool:
    """Whether the page puts a space between Chinese and Latin where both stand in one line."""
    if not page.chinese:
        return True
    with_space = without = 0
    for index in range(1, len(page.words)):
        if joins_without_space(page.words[index - 1][-1]) != joins_without_space(page.words[index][0]):
            with_space += page.before[index] == " "
            without += page.before[index] == ""
    return with_space >= without


def _margins(lines: list[Line]) -> list[float]:
    """Right margin of the column each line stands in: the furthest right any line of its block reaches.

    0.0 where the block gives no evidence of a margin.
    """
    margins = [0.0] * len(lines)
    start = 0
    for number in range(1, len(lines) + 1):
        if number < len(lines) and _same_column(lines[number - 1], lines[number]):
            continue
        block = [line for line in lines[start:number] if not _tabular(line)]
        if block:
            margin = max(line.right for line in block)
            em = EM * block[0].height
            full = sum(line.right > margin - 3 * em for line in block)
            wide = margin - min(line.left for line in block) > 25 * em
            if full > 2 or wide:
                margins[start:number] = [margin] * (number - start)
        start = number
    return margins


def _same_column(a: Line, b: Line) -> bool:
    gap = b.top - a.bottom
    return b.top > a.top and gap < 2 * a.height and min(a.right, b.right) > max(a.left, b.left)


def _tabular(line: Line) -> bool:
    return line.gap > WIDE_GAP * EM * line.height


def _flows(page: PageLayout, a: Line, b: Line, margin: float) -> bool:
    """Whether b goes on with the paragraph of a."""
    em = EM * a.height
    first, last = page.words[b.first], page.words[a.last - 1]
    if _tabular(a) or not _same_column(a, b) or not 0.8 < b.height / a.height < 1.25:
        return False
    if b.top - a.bottom > 0.9 * a.height or BULLET.match(first):
        return False
    starts_lower, ended = first[0].islower(), ends_sentence(last)
    if starts_lower and (a.hyphen or (last[-1] == "-" and last[-2:-1].isalpha())):
        return True
    if not margin or a.right - a.left < 8 * em or (_tabular(b) and not starts_lower):
        return False
    if LEADERS.search(page.text_of(a)[-200:]) or _centred(a, b, em) or (b.left - a.left > em and ended):
        return False
    room = margin - a.right
    if starts_lower and not ended:
        return room < 12 * em
    if ended:
        return room < _first_unit(page, b, em, whole=False)
    # Not ended: allow for words that must not be parted, and for Chinese broken at its spaces only.
    full = a.right - a.left > 0.6 * (margin - min(a.left, b.left))
    return room < _first_unit(page, b, em, whole=full) + 5 * em


def _centred(a: Line, b: Line, em: float) -> bool:
    """Whether the two are set around one middle, as the lines of a title are."""
    outdent, short = a.left - b.left, b.right - a.right
    return abs(outdent) > em and abs(outdent - short) < em


def _first_unit(page: PageLayout, line: Line, em: float, whole: bool) -> float:
    """Width that would have had to fit before the margin: the line's first word, or two Chinese characters.

    `whole`: of Chinese, too, all that stands before the first space.
    """
    if not whole and joins_without_space(page.words[line.first][0]):
        return 2.2 * em
    stop = line.first + 1
    while stop < line.last and page.before[stop] == "":
        stop += 1
    return float(page.upright[stop - 1, 2] - page.upright[line.first, 0]) * page.width + 0.4 * em


def ends_mid_sentence(page: PageLayout) -> bool:
    """Whether its last line is full and ends in the middle of a sentence."""
    if not page.lines:
        return False
    last = page.lines[-1]
    if _tabular(last) or ends_sentence(page.words[last.last - 1]):
        return False
    margin = max(line.right for line in page.lines)
    return margin - last.right < 12 * EM * last.height and last.right - last.left > 15 * EM * last.height


def starts_mid_sentence(page: PageLayout) -> bool:
    """Whether its first line can go on with a sentence of the page before."""
    if not page.lines:
        return False
    first = page.words[page.lines[0].first]
    return first[0].islower() or (
        joins_without_space(first[0]) and first[0] not in "“‘（《「『【〈" and not BULLET.match(first)
    )
