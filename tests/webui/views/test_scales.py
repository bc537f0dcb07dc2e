"""Figures with their scale, in the units that each language counts in."""

import pytest

from webui.views.short import scaled


@pytest.mark.parametrize(
    ("language", "value", "scale", "shown"),
    [
        ("zh", "1.5", "billion", "15 亿"),
        ("zh", "$211.9", "billion", "$2,119 亿"),
        ("zh", "0.05", "billion", "5,000 万"),
        ("zh", "$1,577", "million", "$15.77 亿"),
        ("zh", "(1,577)", "million", "(15.77) 亿"),
        ("zh", "12.50", "million", "1,250 万"),
        ("zh", "0.5", "million", "50 万"),
        ("zh", "4,218", "thousand", "421.8 万"),
        ("zh", "5", "thousand", "5,000"),
        ("zh", "between 80 and 120", "million", "between 0.8 and 1.2 亿"),
        ("zh", "1.234,5", "million", "1.234,5 百万"),  # not a number as English writes it
        ("zh", "about half a", "billion", "about half a 十亿"),
        ("zh", "3.2", "hundred million", "3.2 亿"),
        ("zh", "0", "million", "0"),
        ("zh", "7.1", "percent", "7.1%"),
        ("en", "$1,577", "million", "$1,577 million"),
        ("en", "1,250", "ten thousand", "12.5 million"),
        ("en", "15", "hundred million", "1.5 billion"),
        ("en", "3.5", "ten thousand", "35 thousand"),
        ("en", "0.02", "ten thousand", "200"),
    ],
)
def test_a_figure_is_told_in_the_units_of_the_language(language, value, scale, shown):
    assert scaled(value, scale, language) == shown
