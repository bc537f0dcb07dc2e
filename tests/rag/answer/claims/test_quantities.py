from __future__ import annotations

import pytest

from rag.answer.claims.equal import agree
from rag.answer.claims.quantities import Kind, Quantity, find_quantities


def only(text: str) -> Quantity:
    (quantity,) = find_quantities(text)
    return quantity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4.2 billion", "4,200 million"),
        ("4.2 billion", "42亿"),
        ("$5m", "5 million dollars"),
        ("13%", "13 percent"),
        ("13%", "百分之十三"),
        ("2023-03-31", "March 31, 2023"),
        ("31 March 2023", "2023年3月31日"),
        ("FY2023", "2023年"),
        ("12 months", "one year"),
        ("120 people", "one hundred and twenty people"),
        ("120 people", "一百二十人"),
        ("60 days", "sixty (60) days"),
        ("the 19th century", "19世纪"),
        ("第二季度", "二季度"),
        ("spread over seven floors", "seven floors"),
        ("80 °C", "80摄氏度"),
        ("about 4.2 billion", "$4.23 billion"),
        ("211.9 billion", "211,915 million"),
    ],
)
def test_equal_values_in_different_form_agree(one, other):
    assert agree(only(one), only(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4.2 billion", "4.2 million"),
        ("4.2亿", "4.2万"),
        ("13%", "13 percentage points"),
        ("百分之十三", "13个百分点"),
        ("March 31, 2023", "March 30, 2023"),
        ("2023年", "2022年"),
        ("30 days", "30 months"),
        ("5 miles", "5 km"),
        ("$5 million", "€5 million"),
        ("5元", "5美元"),
        ("at least 5 people", "at most 5 people"),
        ("4.2 billion", "4.27 billion"),
        ("the first", "the second"),
    ],
)
def test_different_values_do_not_agree(one, other):
    assert not agree(only(one), only(other))


def test_a_year_is_supported_by_a_date_but_not_the_other_way_round():
    assert agree(only("2023"), only("March 31, 2023"))
    assert not agree(only("March 31, 2023"), only("2023"))


@pytest.mark.parametrize("text", ["COVID-19", "Form 10-K", "十分重要", "the X200 pump"])
def test_digits_of_names_and_words_are_no_quantities(text):
    assert find_quantities(text) == []


def test_the_first_number_of_a_range_has_the_scale_and_unit_of_the_second():
    first, second = find_quantities("between $150 and $170 million")
    assert (first.value, second.value) == (150e6, 170e6)
    assert [one.kind for one in find_quantities("10-15%")] == [Kind.PERCENT, Kind.PERCENT]
