"""Whether a sentence continues from one page to the next, by the last line of one and the first of the other."""

from __future__ import annotations

from rag.language import joins_without_space
from rag.pdf.lines import BULLET, EM, PageLayout, is_table_row
from rag.pdf.normalize import ends_sentence


def ends_mid_sentence(page: PageLayout) -> bool:
    """Whether the last line is full and ends in the middle of a sentence."""
    if not page.lines:
        return False
    last = page.lines[-1]
    if is_table_row(last) or ends_sentence(page.words[last.last - 1]):
        return False
    margin = max(line.right for line in page.lines)
    return margin - last.right < 12 * EM * last.height and last.right - last.left > 15 * EM * last.height


def starts_mid_sentence(page: PageLayout) -> bool:
    """Whether the first line may continue a sentence of the page before."""
    if not page.lines:
        return False
    first = page.words[page.lines[0].first]
    return first[0].islower() or (
        joins_without_space(first[0]) and first[0] not in "“‘（《「『【〈" and not BULLET.match(first)
    )
