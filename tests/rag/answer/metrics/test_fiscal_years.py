"""Which year a document calls one that ends in January."""

from __future__ import annotations

import pytest

from rag.answer.metrics.fiscal_years import fiscal_offset

SAYS_BEFORE = "Fiscal 2022, which ended January 28, 2023, was a good year."
SAYS_SAME = "We discuss the years ended January 31, 2018 (“fiscal 2018”)."


@pytest.mark.parametrize(
    ("texts", "offset"),
    [
        ([SAYS_BEFORE], -1),
        ([SAYS_SAME], 0),
        ([SAYS_BEFORE, SAYS_SAME], 0),  # as many say the one as the other: the calendar year
        (["In fiscal 2022 sales grew. ", "The fiscal 2022 tax. In fiscal 2022. As of January 28, 2023."], -1),
        (["In fiscal 2023 sales grew. ", "The fiscal 2023 tax. In fiscal 2023. As of January 28, 2023."], 0),
        (["In fiscal 2022 sales grew. As of January 28, 2023."], None),  # said once only
        (["Fiscal 2023, fiscal 2023. Fiscal 2022, fiscal 2022, fiscal 2022. As of January 28, 2023."], None),
        (["As of January 28, 2023 we had cash."], None),
        ([], None),
    ],
)
def test_the_document_tells_what_it_calls_its_years(texts, offset):
    assert fiscal_offset(texts) == offset
