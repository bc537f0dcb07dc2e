"""Short answers in one line."""

from __future__ import annotations

import pytest

from rag.answer.scales import in_one_line


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (("It may harm our business.", "It may fail."), "It may harm our business; It may fail"),
        (("Acme Inc.", "Novex Corp."), "Acme Inc.; Novex Corp."),
        (("销售额下降。", "成本上升。"), "销售额下降; 成本上升"),
        (("It may fail.",), "It may fail."),
    ],
)
def test_sentences_in_one_line_lose_their_full_stops(values: tuple[str, ...], line: str) -> None:
    assert in_one_line(values) == line
