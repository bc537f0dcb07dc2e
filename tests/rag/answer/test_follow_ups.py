"""Suggested questions: only those that the finders answer for sure, and with the cell that was meant."""

import pytest

from rag.answer.own_name import company_on_cover
from rag.answer.suggesting import MAX_FOLLOW_UPS, Finders, follow_ups, is_about
from rag.pdf.table import Cell, Row, Table
from rag.records import Citation, ShortAnswer, TableExcerpt

HEADERS = ("2018", "2017", "2016", "2015")
CELLS = ("1,577", "1,373", "1,420", "—")
QUESTION = "What was the capital expenditure of 3M in 2018?"
CHANGE = "By how much did the capital expenditure of 3M change from 2017 to 2018?"


def short(year, *, formula="", sure=True, headers=HEADERS):
    table = TableExcerpt("", headers, (("Purchases", *CELLS),), ((0, HEADERS.index(year)),))
    value = CELLS[HEADERS.index(year)]
    return ShortAnswer((value,), "million", (), formula, (Citation(1, 0, 4),), table, sure=sure)


def answers(**changed):
    """A finder that knows every year of the table and the change; `changed` replaces answers by year."""

    def answer(question):
        if "change" in question:
            return changed.get("change", short("2018", formula="1,577 − 1,373"))
        year = next(year for year in HEADERS if year in question)
        return changed.get(f"y{year}", short(year))

    return answer


def test_the_other_years_of_the_row_and_the_change_are_suggested():
    assert follow_ups(QUESTION, Finders(answers())) == (
        CHANGE,
        "What was the capital expenditure of 3M in 2017?",
        "What was the capital expenditure of 3M in 2016?",
    )
    assert len(follow_ups(QUESTION, Finders(answers()))) <= MAX_FOLLOW_UPS


def test_a_question_in_another_form_or_language_gets_the_years_alone():
    assert follow_ups("3M 2018年的资本支出是多少？", Finders(answers())) == (
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
    assert follow_ups(QUESTION, Finders(answers(**changed))) == ("What was the capital expenditure of 3M in 2016?",)


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
    assert follow_ups(question, Finders(answers(y2018=first))) == ()


NAMES = ("Net sales", "Purchases", "Cost of sales", "Net income", "Other", "Interest expense (1)")


def cell(text, value):
    return Cell(text, 0, len(text), value)


def table(*, headers=HEADERS[:2], value=1373.0):
    """A table in which each row has 1,577 or so in 2018, and "Purchases" is asked for."""
    rows = [
        Row(name, "", (cell("1, 577" if name == "Purchases" else f"{n}", 1577.0), cell("1,373", value)), 0, 9)
        for n, name in enumerate(NAMES)
    ]
    return Table(tuple(headers), "", "million", tuple(rows))


def of_rows(question):
    """A finder that knows every row of the table by its name, and nothing else but the question itself."""
    row = next((n for n, name in enumerate(NAMES) if name.lower() in question), None)
    if row is None:
        return short("2018") if question == QUESTION else None
    excerpt = TableExcerpt("", HEADERS[:2], ((NAMES[row], f"{row}", "1,373"),), ((0, 0),))
    return ShortAnswer((f"{row}",), "", (), "", (Citation(1, 0, 4),), excerpt)


def test_rows_of_the_same_table_are_suggested_those_that_people_ask_for_first():
    found = follow_ups(QUESTION, Finders(of_rows, table=lambda _: table()))
    assert found == (
        "What were the net sales of 3M in 2018?",
        "What was the net income of 3M in 2018?",
        "What was the cost of sales of 3M in 2018?",
    )
    owner_first = "What was 3M's capital expenditure in 2018?"
    finders = Finders(lambda q: short("2018") if q == owner_first else of_rows(q), table=lambda _: table())
    assert follow_ups(owner_first, finders)[0] == "What were 3M's net sales in 2018?"


def test_a_row_is_left_out_where_another_row_would_answer():
    def another(question):
        return of_rows("purchases") if "net sales" in question else of_rows(question)

    assert "net sales" not in " ".join(follow_ups(QUESTION, Finders(another, table=lambda _: table())))


@pytest.mark.parametrize(("value", "moved"), [(1373.0, "increase"), (1600.0, "decrease"), (-1373.0, "")])
def test_a_reason_is_suggested_where_a_document_states_it(value, moved):
    asked = []

    def is_explained(question, names):
        asked.append(question)
        return names == {"capital expenditure", "purchases"}

    finders = Finders(
        lambda q: short("2018") if q == QUESTION else None, lambda _: table(value=value), is_explained=is_explained
    )
    wanted = (f"Why did the capital expenditure of 3M {moved} in 2018?",) if moved else ()
    assert follow_ups(QUESTION, finders) == wanted == tuple(asked)
    unexplained = Finders(finders.figure, finders.table)
    assert follow_ups(QUESTION, unexplained) == ()


def test_the_kinds_take_turns_and_no_more_is_tried_than_is_shown():
    tried = []

    def elsewhere():
        for name in ("Boeing", "Nike"):
            tried.append(name)
            yield QUESTION.replace("3M", name)

    def figure(question):
        return of_rows(question) if "net" in question or "cost" in question else answers()(question)

    found = follow_ups(QUESTION, Finders(figure, lambda _: table(), lambda question, names: True, elsewhere))
    assert found == (
        CHANGE,
        "Why did the capital expenditure of 3M increase in 2018?",
        "What were the net sales of 3M in 2018?",
        "What was the capital expenditure of Boeing in 2018?",
    )
    assert tried == ["Boeing"]


@pytest.mark.parametrize(
    ("file", "cover", "name"),
    [
        ("AMERICANWATERWORKS_2021_10K.pdf", "FORM 10-K\nAMERICAN WATER WORKS COMPANY, INC.", "American Water Works"),
        ("3M_2018_10K.pdf", "3M COMPANY", "3M"),
        ("MGMRESORTS_2020.pdf", "MGM Resorts International", "MGM Resorts"),
        ("KRAFTHEINZ.pdf", "The Kraft Heinz Company", "Kraft Heinz"),
        ("WALMART_2018_10K.pdf", "Commission file number 001", ""),
        ("report_2018.pdf", "Annual Report of nobody", ""),
        ("pump.pdf", "How to mend a pump", ""),
        ("2018.pdf", "2018", ""),
    ],
)
def test_a_company_is_named_as_its_cover_writes_it(file, cover, name):
    assert company_on_cover(file, cover) == name


@pytest.mark.parametrize(
    ("sentence", "about"),
    [
        ("Operating income decreased 15% due to higher costs.", True),
        ("In fiscal 2018, our total operating income decreased due to higher costs.", True),
        ("The decrease in operating income in 2018 was due to higher costs.", True),
        ("Operating income margins were 22.0 percent, down 3.9 points, driven by divestiture gains.", False),
        ("The 5 percent increase in operating income in fiscal 2020 reflects volume growth.", True),
        ("Operating income, measured as a percent of sales, increased due to currency effects.", False),
        ("Operating income (loss) before taxes increased due to currency effects.", False),
        ("Operating income of the segment decreased due to higher costs.", False),
        ("The increase in research, sales and marketing expenses was due to headcount.", False),
        ("· In Health Care, operating income decreased due to higher costs.", False),
        ("Higher costs reduced operating income.", False),
    ],
)
def test_a_reason_has_to_be_of_the_figure_itself(sentence, about):
    assert is_about(sentence, {"operating income", "profit"}) is about
