"""Periods that questions, headers and labels name."""

from __future__ import annotations

import pytest

from rag.answer.figures.periods import Period, between, names_range, periods_of, single_period, years_of


@pytest.mark.parametrize(
    ("text", "periods"),
    [
        ("Years ended June 30, 2023", [Period(2023, month=6, day=30)]),
        ("June 30 and December 31, 2019", [Period(2019, month=6, day=30), Period(2019, month=12, day=31)]),
        ("31 March 2019", [Period(2019, month=3, day=31)]),
        ("the second and first quarter of fiscal 2019", [Period(2019, 2), Period(2019, 1)]),
        ("Fiscal 2019 First Quarter", [Period(2019, 1)]),
        ("Q4 2019", [Period(2019, 4)]),
        ("FY19 and F18", [Period(2019), Period(2018)]),
        ("in 2018/2019 from 2017/2018", [Period(2019), Period(2018)]),
        ("for 2017,2018 and 2019", [Period(2017), Period(2018), Period(2019)]),
        ("third quarter", [Period(0, 3)]),
        ("2023年第三季度", [Period(2023, 3)]),
        ("2022年6月30日", [Period(2022, month=6, day=30)]),
        ("$2,019 and 12.5%", []),
        ("3.20% notes", []),
    ],
)
def test_periods_of(text, periods):
    assert list(periods_of(text)) == periods


def test_a_header_of_two_years_is_of_neither():
    assert single_period("Change 2019 versus 2018") is None
    assert single_period("Fiscal 2019, ended June 1, 2019") == Period(2019, month=6, day=1)


def test_periods_agree_unless_both_say_something_else():
    year, date, quarter = Period(2019), Period(2019, month=12, day=31), Period(2019, 4)
    assert year.agrees(date)
    assert quarter.agrees(year)
    assert not date.agrees(Period(2018))
    assert not quarter.agrees(Period(2019, 3))


def test_a_year_that_ends_in_january_may_be_called_by_the_year_before():
    january, december = Period(2022, month=1, day=29), Period(2022, month=12, day=31)
    assert january.may_be_fiscal(Period(2022))
    assert not december.may_be_fiscal(Period(2022))
    assert not january.may_be_fiscal(Period(2022, month=1, day=29))


def test_a_range_holds_the_years_between():
    assert names_range("from 2017 to 2019")
    assert names_range("2021年至2023年")
    assert not names_range("in 2017 and 2019")
    assert between([Period(2017), Period(2019)]) == (Period(2017), Period(2018), Period(2019))
    assert between([Period(2019), Period(2017)]) == (Period(2019), Period(2018), Period(2017))
    assert between([Period(2019, 1), Period(2019, 3)]) == (Period(2019, 1), Period(2019, 3))


def test_years_of():
    assert years_of("FY2019, 2018/19 and 2017") == {2019, 2017}


def test_a_year_that_ends_in_january_is_the_fiscal_one_that_its_document_calls_it():
    january = Period(2022, month=1, day=29, fiscal=2021)
    assert january.agrees(Period(2021))
    assert not january.agrees(Period(2022))
    assert january.agrees(Period(2022, month=1, day=29))
    assert not january.may_be_fiscal(Period(2021))
