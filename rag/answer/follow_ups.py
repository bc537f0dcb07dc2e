"""Questions that may be asked next: about the same figure in other years, and how it changed. Calls no model.

Each is tried with the finders that answer questions about figures, and suggested only if they find a sure answer in the
same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from rag.answer.figures.periods import years_of
from rag.records import ShortAnswer, TableExcerpt

MAX_FOLLOW_UPS: Final = 3
MAX_QUESTION_CHARACTERS: Final = 300  # of a question that others are made from
_YEAR: Final = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?!\d|[.,]\d)")
# "What was the revenue of 3M in 2018?"; English alone, as its words stay in their order.
_WHAT_WAS: Final = re.compile(
    r"(?:what|how much) (?:was|were|is|are) (?P<what>[^?]{3,200}?) (?:in|for) (?:the )?(?:fiscal |FY ?)?(?:year )?"
    r"(?P<year>(?:19|20)\d\d)\s*\?",
    re.IGNORECASE,
)


def follow_ups(question: str, answer: Callable[[str], ShortAnswer | None]) -> tuple[str, ...]:
    """At most `MAX_FOLLOW_UPS` questions that follow on a complete question about one figure of one year.

    `answer`: the short answer to a question, from the same documents; None where there is none.
    """
    asked = _YEAR.findall(question)
    if len(question) > MAX_QUESTION_CHARACTERS or len(asked) != 1:
        return ()
    first = answer(question)
    if first is None or first.table is None or not first.sure or first.formula:
        return ()
    if (cells := _other_years(first.table, int(asked[0]))) is None:
        return ()
    sure = []
    for candidate, cell in _candidates(question, asked[0], cells):
        found = answer(candidate)
        if found is None or not found.sure or found.table is None:
            continue
        if bool(found.formula) if cell == "" else cell in _marked_cells(found.table):
            sure.append(candidate)
    return tuple(sure[:MAX_FOLLOW_UPS])


def _candidates(question: str, year: str, cells: dict[int, str]) -> Iterator[tuple[str, str]]:
    """Questions, each with the cell that has to answer it; "" for one whose answer is computed."""
    before = max((other for other in cells if other < int(year)), default=None)
    if before is not None and (what := _WHAT_WAS.fullmatch(question.strip())):
        yield f"By how much did {what['what']} change from {before} to {year}?", ""
    for other, cell in sorted(cells.items(), key=lambda item: abs(item[0] - int(year))):
        yield _YEAR.sub(str(other), question), cell


def _other_years(table: TableExcerpt, year: int) -> dict[int, str] | None:
    """The cells beside the one that answers, by the year of their column; None where the columns are not years."""
    if len(table.marked) != 1:
        return None
    row, column = table.marked[0]
    years = [years_of(header) for header in table.headers]
    if column >= len(years) or years[column] != {year}:
        return None
    cells = table.rows[row][1:]
    return {
        next(iter(names)): cell
        for names, cell in zip(years, cells, strict=False)
        if len(names) == 1 and years.count(names) == 1 and names != {year} and any(map(str.isdigit, cell))
    }


def _marked_cells(table: TableExcerpt) -> list[str]:
    return [table.rows[row][column + 1] for row, column in table.marked]
