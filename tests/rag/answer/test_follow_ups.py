"""Suggested questions: only those that the finders answer for sure, and with the cell that was meant."""

import pytest

from rag.answer.follow_ups import MAX_FOLLOW_UPS, follow_ups
from rag.records import Citation, ShortAnswer, TableExcerpt

HEADERS = ("2018", "2017", "2016", "2015")
CELLS = ("1,577", "1,373", "1,420", "—")
QUESTION = "What was the capital expenditure of 3M in 2018?"
CHANGE = "By how much did the capital expenditure of 3M change from 2017 to 2018?"


def short(year, *, formula="", sure=True, headers=HEADERS):
    table = TableExcerpt("", headers, (("Purchases", *CELLS),), ((0, HEADERS.index(year)),))
    value = CELLS[HEADERS.index(year)]
    return ShortAnswer((value,), "million", (), formula, (Citation(1, 1.0, 0, 4),), table, sure=sure)


def answers(**changed):
    """A finder that knows every year of the table and the change; `changed` replaces answers by year."""

    def answer(question):
        if "change" in question:
            return changed.get("change", short("2018", formula="1,577 − 1,373"))
        year = next(year for year in HEADERS if year in question)
        return changed.get(f"y{year}", short(year))

    return answer


def test_the_other_years_of_the_row_and_the_change_are_suggested():
    assert follow_ups(QUESTION, answers()) == (
        CHANGE,
        "What was the capital expenditure of 3M in 2017?",
        "What was the capital expenditure of 3M in 2016?",
    )
    assert len(follow_ups(QUESTION, answers())) <= MAX_FOLLOW_UPS


def test_a_question_in_another_form_or_language_gets_the_years_alone():
    assert follow_ups("3M 2018年的资本支出是多少？", answers()) == (
        "3M 2017年的资本支出是多少？",
        "3M 2016年的资本支出是多少？",
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"change": None, "y2017": None},
        {"change": short("2018"), "y2017": short("2016")},  # not computed; another cell
        {"change": short("2018", formula="x", sure=False), "y2017": short("2017", sure=False)},
    ],
    ids=["no answer", "another answer", "unsure"],
)
def test_what_the_finders_do_not_answer_for_sure_is_left_out(changed):
    assert follow_ups(QUESTION, answers(**changed)) == ("What was the capital expenditure of 3M in 2016?",)


@pytest.mark.parametrize(
    ("question", "first"),
    [
        (QUESTION, None),
        (QUESTION, short("2018", formula="a + b")),
        (QUESTION, short("2018", sure=False)),
        (QUESTION, short("2018", headers=("USD", "EUR", "GBP", "CHF"))),
        (QUESTION, short("2017")),
        ("What was the capital expenditure of 3M from 2017 to 2018?", short("2018")),
        ("What was the capital expenditure of 3M?", short("2018")),
        (QUESTION[:-1] + " " + "x" * 300, short("2018")),
    ],
)
def test_nothing_is_suggested_where_the_answer_is_not_one_cell_of_one_year(question, first):
    assert follow_ups(question, answers(y2018=first)) == ()
