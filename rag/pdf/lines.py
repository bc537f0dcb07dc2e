"""Words and their boxes -> lines of a page, and lines -> paragraphs.

The lines of a paragraph are joined, the rows of a table are not. Geometry tells them apart: a line was only broken to
wrap a paragraph if the next word would not have fitted before the right margin. Lengths are in points. Knows nothing of
PDF or of other pages.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from rag.language import FIRST_EAST_ASIAN, joins_without_space
from rag.pdf.letter_spacing import close_up
from rag.pdf.normalize import clean_word, ends_sentence, mend_hyphen, needs_cleaning, space_between_lines
from rag.records import WordBoxes

Boxes = npt.NDArray[np.float32]  # (n, 4) left, top, right, bottom, fractions of the page
Spans = npt.NDArray[np.int32]  # (n, 2) start and end character
LINE_HYPHEN = 0xFFFE  # PDFium replaces a hyphen at the end of a line with it
SOFT_HYPHEN = 0xAD
BREAKS = np.array([LINE_HYPHEN, *map(ord, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")], np.uint32)
EM = 0.85  # font size / height of a line (ascender to descender), roughly
TABLE_GAP = 1.8  # ems; a wider gap between two words separates table columns, narrower ones come from justification
PROSE = 30.0  # ems; a longer line that goes on in lower case is one of prose, not of a title
BULLET = re.compile(
    r"(?:[•·▪▫◦●○■□◆◇‣⁃∙➢✓–—*]|\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,4})[.)]|[（(]?[一二三四五六七八九十]{1,3}[)）、])\Z"
)
LEADERS = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}|_{4,}")


@dataclass(slots=True)
class Line:
    """One visual line: words[first:last] of its page, and its box on the page in points."""

    first: int
    last: int
    left: float
    top: float
    right: float
    bottom: float
    gap: float = 0.0  # widest gap between two words
    hyphen: bool = False  # ends with a hyphen that the last word does not contain

    @property
    def height(self) -> float:
        """Points from ascender to descender."""
        return max(self.bottom - self.top, 0.1)


@dataclass(slots=True)
class PageLayout:
    """The words of a page, and the lines they form."""

    words: list[str]
    space_before: list[str]  # white space before each word, "" or " "; set by `join_lines` at the start of a line
    boxes: Boxes  # on the page as shown
    upright: Boxes  # on the page rotated so that its text runs from left to right; lines are measured there
    lines: list[Line]
    width: float  # of the rotated page
    height: float
    has_east_asian: bool = False  # contains characters from FIRST_EAST_ASIAN on
    placed: bool = True  # the boxes are real, not estimated from columns of characters
    furniture: list[str] = field(default_factory=list)  # running headers and footers removed, in reading order

    def text_of(self, line: Line) -> str:
        """The text of one line."""
        parts = [self.words[line.first]]
        for index in range(line.first + 1, line.last):
            parts += (self.space_before[index], self.words[index])
        return "".join(parts)


def lay_out(
    text: str, spans: Spans, boxes: Boxes, width: float, height: float, interned: dict[str, str] | None = None
) -> PageLayout:
    """Words and lines of a page, from the spans (n, 2) of words in `text`, ascending, and their boxes (n, 4).

    `interned` collects the distinct words of the document, so that each is kept in memory once.
    """
    # Clean the words; drop those of which nothing is left.
    words = [text[start:stop] for start, stop in spans.tolist()]
    if needs_cleaning(text):
        words = [clean_word(word) for word in words]
        if not all(words):
            kept = [row for row, word in enumerate(words) if word]
            words = [words[row] for row in kept]
            spans, boxes = spans[kept], boxes[kept]
    if interned is not None:
        words = list(map(interned.setdefault, words, words))
    if not words:
        return PageLayout([], [], boxes, boxes, [], width, height)
    # Start a line at every word that a line break precedes.
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)  # code points
    breaks = np.flatnonzero(np.isin(codes, BREAKS))
    breaks_before = np.searchsorted(breaks, spans[:, 0])  # (n,)
    first = np.ones(len(words), np.bool_)  # whether the word starts a line
    first[1:] = breaks_before[1:] > breaks_before[:-1]
    space = (spans[1:, 0] > spans[:-1, 1]).tolist()
    has_east_asian = bool(codes.max() >= FIRST_EAST_ASIAN)
    # Measure the lines on the upright page, and merge the cells of each table row.
    upright, width, height = _rotate_upright(boxes, first, width, height)
    first |= _below_and_left(upright)
    if has_east_asian:
        space = close_up(words, space, first, upright, (width, height))
    starts = np.flatnonzero(first)
    lines = _measure_lines(starts, upright, width, height)
    for number in _hyphenated_lines(codes, spans, starts):
        lines[number].hyphen = True
    lines = _merge_cells(lines)
    return PageLayout(
        words=words,
        space_before=["", *(" " if there else "" for there in space)],
        boxes=boxes,
        upright=upright,
        lines=lines if upright is boxes else _from_top_down(lines),
        width=width,
        height=height,
        has_east_asian=has_east_asian,
    )


def _rotate_upright(
    boxes: Boxes, first: npt.NDArray[np.bool_], width: float, height: float
) -> tuple[Boxes, float, float]:
    """Boxes (n, 4) and size of the page, rotated so that most of its text runs from left to right.

    `first` (n,) marks the words that start a line.
    """
    # Add up the distances from word to word within lines, along each axis.
    centres = (boxes[:, :2] + boxes[:, 2:]) * np.array([width / 2, height / 2], np.float32)  # (n, 2) points
    steps = (centres[1:] - centres[:-1])[~first[1:]]
    along, down = np.abs(steps).sum(axis=0) if len(steps) else (1.0, 0.0)
    left, top, right, bottom = boxes.T
    # Horizontal text: rotate by 180 degrees if words run left and lines go up; the lines of Arabic go down.
    if along >= down:
        lines_up = np.diff(centres[first, 1]).sum() < 0
        if len(steps) and steps[:, 0].sum() < 0 and lines_up:
            return np.stack([1 - right, 1 - bottom, 1 - left, 1 - top], axis=1), width, height
        return boxes, width, height
    # Vertical text: rotate by 90 degrees, to the left if words run down, else to the right.
    if steps[:, 1].sum() > 0:
        return np.stack([top, 1 - right, bottom, 1 - left], axis=1), height, width
    return np.stack([1 - bottom, left, 1 - top, right], axis=1), height, width


def _below_and_left(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """Whether each word (n,) starts below and left of the one before: PDFium does not report all line breaks."""
    found = np.zeros(len(boxes), np.bool_)
    before, after = boxes[:-1], boxes[1:]
    overlap = 0.3 * (before[:, 3] - before[:, 1])
    found[1:] = (after[:, 1] > before[:, 3] - overlap) & (after[:, 0] < before[:, 0])
    return found


def _from_top_down(lines: list[Line]) -> list[Line]:
    """The lines, reversed if nearly all of them go upwards: PDFium reverses the lines of rotated text."""
    ups = sum(b.bottom <= a.top + 0.5 * a.height and b.bottom < a.bottom for a, b in pairwise(lines))
    return lines[::-1] if len(lines) > 1 and ups > 0.8 * (len(lines) - 1) else lines


def _hyphenated_lines(codes: npt.NDArray[np.uint32], spans: Spans, starts: npt.NDArray[np.int64]) -> set[int]:
    """Numbers of the lines that end within a word, by PDFium's mark or a soft hyphen."""
    ends = spans[starts[1:] - 1, 1]  # where each line but the last ends
    found = (codes[ends] == LINE_HYPHEN) | (codes[ends - 1] == SOFT_HYPHEN)
    return set(np.flatnonzero(found).tolist())


def lay_out_plain(text: str, width: float, height: float) -> PageLayout:
    """As `lay_out`, for text without boxes: they are estimated from line numbers and columns of characters."""
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


def _measure_lines(starts: npt.NDArray[np.int64], boxes: Boxes, width: float, height: float) -> list[Line]:
    """Lines with their boxes, from the number of the first word of each."""
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


def _merge_cells(lines: list[Line]) -> list[Line]:
    """Merge lines that follow each other and stand side by side, as cells of a table row do."""
    merged: list[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        if last is not None and not last.hyphen and _are_side_by_side(last, line):
            last.gap = max(last.gap, line.gap, line.left - last.right)
            last.last, last.right, last.hyphen = line.last, line.right, line.hyphen
            last.top, last.bottom = min(last.top, line.top), max(last.bottom, line.bottom)
        else:
            merged.append(line)
    return merged


def _are_side_by_side(a: Line, b: Line) -> bool:
    smaller = min(a.height, b.height)
    overlap = min(a.bottom, b.bottom) - max(a.top, b.top)
    return overlap > 0.6 * smaller and b.left > a.right - 0.3 * smaller and max(a.height, b.height) < 2 * smaller


def join_lines(page: PageLayout, known: Container[str]) -> tuple[str, WordBoxes]:
    """The text of the page, a line for each paragraph and table row, and the boxes of its words.

    `known` holds the words of the document in lower case; it decides which hyphens at line ends are removed.
    """
    lines = page.lines
    if not lines:
        return "", WordBoxes.none()
    words, margins, spaced = list(page.words), _right_margins(page), _spaces_latin(page)
    rows: list[int] = []
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else None
        goes_on = after is not None and _same_paragraph(page, line, after, margins[number])
        rows += range(line.first, line.last)
        join = _mend_line_end(words, line, after if goes_on else None, known, spaced)
        if after is not None:
            page.space_before[after.first] = join
    page.space_before[lines[0].first] = ""
    return _assemble(page, words, rows)


def _mend_line_end(words: list[str], line: Line, after: Line | None, known: Container[str], spaced: bool) -> str:
    """White space after the line, whose last word is mended in place; `after` is None at the end of a paragraph."""
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
    return space_between_lines(word, follower, spaced)


def _assemble(page: PageLayout, words: list[str], rows: list[int]) -> tuple[str, WordBoxes]:
    """Join the words numbered in `rows` with the white space before each, and compute their spans."""
    complete = rows == list(range(len(words)))
    before = page.space_before
    if not complete:
        words = [words[row] for row in rows]
        before = [before[row] for row in rows]
    text = "".join(chain.from_iterable(zip(before, words, strict=True)))
    if not page.placed:
        return text + "\n", WordBoxes.none()
    count = len(words)
    lengths = np.fromiter(map(len, words), np.int32, count)
    ends = np.cumsum(lengths + np.fromiter(map(len, before), np.int32, count), dtype=np.int32)
    boxes = page.boxes if complete else page.boxes[rows]
    return text + "\n", WordBoxes(np.stack([ends - lengths, ends], axis=1), boxes)


def _spaces_latin(page: PageLayout) -> bool:
    """Whether the page puts spaces between Chinese and Latin words within lines."""
    if not page.has_east_asian:
        return True
    with_space = without = 0
    for index in range(1, len(page.words)):
        if joins_without_space(page.words[index - 1][-1]) != joins_without_space(page.words[index][0]):
            with_space += page.space_before[index] == " "
            without += page.space_before[index] == ""
    return with_space >= without


def _right_margins(page: PageLayout) -> list[float]:
    """For each line the right margin of its column, where its longest line ends; 0.0 if no margin is evident."""
    lines, start = page.lines, 0
    margins = [0.0] * len(lines)
    for number in range(1, len(lines) + 1):
        # Extend the block while the lines stand below each other.
        if number < len(lines) and _same_column(lines[number - 1], lines[number]):
            continue
        # Leave out table rows, and lines in another size of print, such as a title above two columns.
        block = _of_usual_height([line for line in lines[start:number] if not is_table_row(line)])
        if block:
            margin = max(line.right for line in block)
            em = EM * block[0].height
            # Accept the margin if several lines reach it, or if the block is as wide as a column of prose.
            full = sum(line.right > margin - 3 * em for line in block)
            wide = margin - min(line.left for line in block) > 25 * em
            if (full > 3 or wide) and not _is_list(page, block):
                margins[start:number] = [margin] * (number - start)
        start = number
    return margins


def _is_list(page: PageLayout, block: list[Line]) -> bool:
    """Whether each line begins anew, as items do whose bullets are drawn, and as a title in capitals does not."""
    firsts, lasts = [page.words[line.first] for line in block], [page.words[line.last - 1] for line in block]
    anew = all(word[0].isupper() or word[0].isdigit() for word in firsts)
    title = all(word.isupper() for word in firsts)
    return len(block) > 2 and anew and not title and not any(ends_sentence(word) for word in lasts)


def _of_usual_height(lines: list[Line]) -> list[Line]:
    """The lines that are about as high as most of them."""
    usual = sorted(line.height for line in lines)[len(lines) // 2] if lines else 0.0
    return [line for line in lines if _of_one_height(line.height, usual)]


def _of_one_height(one: float, other: float) -> bool:
    return 0.8 < one / other < 1.25


def _same_column(a: Line, b: Line) -> bool:
    """Whether b stands below a, close to it, and overlaps it horizontally."""
    gap = b.top - a.bottom
    return b.top > a.top and gap < 2 * a.height and min(a.right, b.right) > max(a.left, b.left)


def is_table_row(line: Line) -> bool:
    """Whether a gap in the line separates columns."""
    return line.gap > TABLE_GAP * EM * line.height


def _same_paragraph(page: PageLayout, a: Line, b: Line, margin: float) -> bool:
    """Whether line b continues the paragraph of line a, whose column ends at `margin` (0.0: unknown)."""
    em = EM * a.height
    first, last = page.words[b.first], page.words[a.last - 1]
    # End the paragraph at a table row, another column or another font size.
    if is_table_row(a) or not _same_column(a, b) or not _of_one_height(b.height, a.height):
        return False
    # End it at a wide vertical gap and before a list item.
    if b.top - a.bottom > 0.9 * a.height or BULLET.match(first):
        return False
    # Continue a hyphenated word in lower case.
    starts_lower, ended = first[0].islower(), ends_sentence(last)
    if starts_lower and (a.hyphen or (last[-1] == "-" and last[-2:-1].isalpha())):
        return True
    # Do not join where geometry tells nothing: no margin, a short line, a table row below.
    if not margin or a.right - a.left < 8 * em or (is_table_row(b) and not starts_lower):
        return False
    # End it after an entry of a table of contents, in a centred title, and at an indent after a sentence.
    # (A line of prose that is indented on both sides is centred by chance.)
    prose = starts_lower and not ended and a.right - a.left > PROSE * em
    centred = _are_centred(a, b, em) and not prose
    if LEADERS.search(page.text_of(a)[-200:]) or centred or (b.left - a.left > em and ended):
        return False
    # Continue in lower case within a sentence, with a tolerance for ragged margins.
    room = margin - a.right
    if starts_lower and not ended:
        return room < 12 * em
    # After the end of a sentence, continue only if the next word would not have fitted.
    if ended:
        return room < _first_word_width(page, b, em, whole=False)
    # Otherwise, tolerate words that are kept together, and Chinese that is broken at spaces only.
    full = a.right - a.left > 0.6 * (margin - min(a.left, b.left))
    return room < _first_word_width(page, b, em, whole=full) + 5 * em


def _are_centred(a: Line, b: Line, em: float) -> bool:
    """Whether the two lines have different lengths and the same centre, as the lines of a title do."""
    outdent, short = a.left - b.left, b.right - a.right
    return abs(outdent) > em and abs(outdent - short) < em


def _first_word_width(page: PageLayout, line: Line, em: float, whole: bool) -> float:
    """Width that would have had to fit at the end of the line before: the first word, or two Chinese characters.

    `whole`: count Chinese up to its first space, too.
    """
    if not whole and joins_without_space(page.words[line.first][0]):
        return 2.2 * em
    stop = line.first + 1
    while stop < line.last and page.space_before[stop] == "":
        stop += 1
    return float(page.upright[stop - 1, 2] - page.upright[line.first, 0]) * page.width + 0.4 * em
