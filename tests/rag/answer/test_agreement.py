"""Short answers contradict each other where they state different amounts."""

import pytest

from rag.answer.agreement import contradict
from rag.records import ShortAnswer


def stated(*values, scale=""):
    return ShortAnswer(values, scale, (), "", ())


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (stated("6.84 million"), stated("6,840", scale="thousand"), False),
        (stated("6.84 million"), stated("6,843", scale="thousand"), False),  # rounded
        (stated("6.84 million"), stated("2,964", scale="thousand"), True),
        (stated("12%"), stated("12.3", scale="percent"), False),
        (stated("12%"), stated("15.1", scale="percent"), True),
        (stated("684万"), stated("6,840", scale="thousand"), False),
        (stated("Elin Sandberg"), stated("2,964", scale="thousand"), False),  # no amount
        (stated("10", "20"), stated("20"), False),
    ],
)
def test_amounts_are_compared_in_full_and_names_are_not(one, other, wanted):
    assert contradict(one, other) is wanted
    assert contradict(other, one) is wanted
