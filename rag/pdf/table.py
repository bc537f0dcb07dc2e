"""The parts of a table as records: cells, rows, headers, caption and unit."""

from __future__ import annotations

from dataclasses import dataclass

MAX_TEXT_CHARACTERS = 1_000  # of a label, section, header and caption; what is longer is cut
SECTION_SEPARATOR = " > "  # between a section and the one inside it


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table."""

    text: str  # as printed, currency sign and parentheses included
    start: int  # character span in the page's text
    end: int
    value: float | None  # None for a dash
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled row, with a cell or None for each column."""

    label: str
    section: str  # the lines above that open the groups this row stands in, from the outermost; "" for none
    cells: tuple[Cell | None, ...]
    start: int  # character span in the page's text
    end: int
    unit: str = ""  # text behind its values, in a column of its own: "mA"; "" for none


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a header for each column, and its rows."""

    headers: tuple[str, ...]  # header lines from top to bottom, joined; "" if nothing stands above the column
    caption: str  # lines above the rows that belong to no column: title, units
    scale: str  # "thousand", "million", ...; "" if neither the table nor its page says
    rows: tuple[Row, ...]
    unit: str = ""  # the unit line as printed, "(In millions, except per share data)"; "" for none
    columns: tuple[tuple[float, float], ...] = ()  # left and right edge of each column, fractions of the page
