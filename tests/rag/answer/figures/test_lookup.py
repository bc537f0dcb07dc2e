"""Questions about figures, answered from the cells of tables."""

from __future__ import annotations

import pytest

from rag.answer.figures.lookup import FigureFinder
from rag.answer.figures.periods import years_of
from rag.answer.figures.question import Operation, limit_of, operation_of, pair_of
from rag.pdf.cells import parse_value
from rag.pdf.tables import Cell, Row, Table
from rag.settings import FigureSettings


def table(headers, *rows, caption="", scale="million"):
    """A table from (section, label, texts of cells) rows."""
    made = []
    for number, (section, label, texts) in enumerate(rows):
        cells = tuple(Cell(text, 0, len(text), *parse_value(text)) if text else None for text in texts)
        made.append(Row(label, section, cells, number * 100, number * 100 + 50))
    return Table(tuple(headers), caption, scale, tuple(made))


INCOME = table(
    ["Years ended June 30, 2023", "Years ended June 30, 2022", "Years ended June 30, 2021"],
    ("Revenue", "Product", ["64", "72", "71"]),
    ("Revenue", "Service and other", ["147", "125", "97"]),
    ("Revenue", "Total revenue", ["211", "197", "168"]),
    ("Cost of revenue", "Product", ["17", "19", "18"]),
    ("Cost of revenue", "Service and other", ["48", "43", "34"]),
    ("", "Net loss from discontinued operations", ["(5)", "(4)", "—"]),
    ("Earnings per share", "Diluted", ["$ 9.68", "$ 9.65", "$ 8.05"]),
)
MARGINS = table(["2023", "2022"], ("", "Operating margin", ["41.8%", "42.1%"]))
RENT = table(["Offices", "Shops"], ("", "2021", ["138", "12"]), ("", "2022", ["135", "11"]), caption="Lease payments")
CHINESE = table(
    ["2023年", "2022年"], ("", "营业收入", ["12,345", "11,000"]), ("", "净利润", ["900", "750"]), scale="ten thousand"
)
FINDER = FigureFinder([INCOME, MARGINS, RENT, CHINESE], FigureSettings())
DEBTS = table(
    ["December 31, 2019 Carrying amount", "December 31, 2019 Fair value", "December 31, 2018 Carrying amount"],
    ("", "Bank loans", ["100", "110", "90"]),
    ("", "Notes", ["300", "320", "310"]),
    ("", "Total debt", ["400", "430", "400"]),
)
COSTS = table(
    ["2019", "2018", "2017"],
    ("", "Voyage expenses", ["(21,387)", "(28,237)", "(20,000)"]),
    ("", "Inventories", ["40", "30", "10"]),
    ("", "Receivables", ["20", "18", "8"]),
    ("", "Net change in cash", ["(7)", "5", "3"]),
)
GROWTH = table(
    ["2019", "2018", "% Change"], ("", "Modules", ["1,460", "502", "191%"]), ("", "Systems", ["1,603", "1,742", "(8)%"])
)
QUARTERS = table(
    ["First Quarter", "Second Quarter", "Third Quarter", "Fourth Quarter"],
    ("", "Revenues", ["94", "96", "88", "84"]),
    caption="Fiscal 2019",
)
AWARDS = table(
    ["Shares", "Price"],
    ("", "Nonvested at December 31, 2017", ["500", "$ 10"]),
    ("", "Granted", ["200", "$ 12"]),
    ("", "Nonvested at December 31, 2018", ["600", "$ 11"]),
    ("", "Granted", ["253", "$ 14"]),
    ("", "Nonvested at December 31, 2019", ["700", "$ 13"]),
    scale="",
)
TAXES = table(
    ["2019", "2018"],
    ("Deferred tax assets", "Carryforwards", ["50", "40"]),
    ("Deferred tax assets", "Benefits", ["30", "20"]),
    ("Deferred tax assets", "Gross deferred tax assets", ["80", "60"]),
    ("Deferred tax assets", "Valuation allowance", ["(10)", "(5)"]),
    ("Deferred tax liabilities", "Property", ["25", "15"]),
    ("Deferred tax liabilities", "Other", ["5", "15"]),
)
BALANCE = table(
    ["期末余额", "期初余额"],
    ("流动资产", "货币资金", ["500", "450"]),
    ("流动资产", "应收账款", ["300", "280"]),
    ("流动资产", "存货", ["200", "170"]),
    ("流动资产", "流动资产合计", ["1,000", "900"]),
)
REGIONS = table(
    ["2023年 金额", "2023年 占营业收入比重", "2022年 金额", "同比增减"],
    ("", "营业收入合计", ["12,345", "100%", "11,000", "12.23%"]),
    ("分地区", "华东", ["8,000", "64.80%", "7,500", "6.67%"]),
    ("分地区", "华南", ["4,345", "35.20%", "3,500", "24.14%"]),
    caption="营业收入构成",
    scale="ten thousand",
)


@pytest.mark.parametrize(
    ("question", "texts", "scale"),
    [
        ("What was total revenue in 2022?", ("197",), "million"),
        ("What was the cost of revenue for products in fiscal 2021?", ("18",), "million"),
        ("What was diluted earnings per share in FY23?", ("$ 9.68",), ""),
        ("What was the operating margin in 2022?", ("42.1%",), "percent"),
        ("What was total revenue in 2022 and 2023?", ("197", "211"), "million"),
        ("What were total revenues in 2023 and 2021, respectively?", ("211", "168"), "million"),
        ("What was the change in total revenue from 2021 to 2023?", ("43",), "million"),
        ("What was the percentage change in total revenue between 2022 and 2023?", ("7.11",), "percent"),
        ("By what percentage did total revenue grow from 2022 to 2023?", ("7.11",), "percent"),
        ("What was the change in the net loss from discontinued operations from 2022 to 2023?", ("-1",), "million"),
        ("What was the average total revenue over the 3 year period from 2021 to 2023?", ("192",), "million"),
        ("What is the sum of total revenue in 2022 and 2023?", ("408",), "million"),
        ("In which year was total revenue the largest?", ("2023",), ""),
        ("In which year was total revenue the smallest?", ("2021",), ""),
        ("Which years did total revenue exceed $190 million?", ("2023", "2022"), ""),
        ("How many years did total revenue exceed $0.19 billion?", ("2",), ""),
        ("Which years does the table provide total revenue for?", ("2023", "2022", "2021"), ""),
        ("What was the lease payment for offices in 2022?", ("135",), "million"),
        ("2023年营业收入是多少？", ("12,345",), "ten thousand"),
        ("2023年净利润同比增长了百分之多少？", ("20",), "percent"),
    ],
)
def test_answers(question, texts, scale):
    answer = FINDER.answer(question)
    assert answer is not None
    assert (answer.texts, answer.scale) == (texts, scale)


@pytest.mark.parametrize(
    ("tables", "question", "texts", "scale"),
    [
        ([DEBTS], "What is the fair value of total debt as of December 31, 2019?", ("430",), "million"),
        ([DEBTS], "What is the change in total debt between 2018 and 2019?", ("0",), "million"),
        ([DEBTS], "What is the sum of bank loans and notes in 2019?", ("400",), "million"),
        ([DEBTS], "What percentage of total debt is made up of notes in 2019?", ("75",), "percent"),
        ([DEBTS], "What is the ratio of bank loans to notes in 2018?", ("0.29",), ""),
        ([DEBTS], "What is the ratio of bank loans to notes in 2018? Round to three decimals.", ("0.290",), ""),
        ([DEBTS], "What is the difference between notes and bank loans in 2019?", ("200",), "million"),
        ([COSTS], "What was the increase in voyage expenses from 2018 to 2019?", ("-6,850",), "million"),
        ([COSTS], "What is the average voyage expenses for 2018 and 2019?", ("24,812",), "million"),
        ([COSTS], "What is the 2019 average inventories?", ("35",), "million"),
        ([COSTS], "What is the change between 2018 and 2019 average inventories?", ("15",), "million"),
        (
            [COSTS],
            "In 2019, what is the difference between average inventories and average receivables?",
            ("16",),
            "million",
        ),
        ([COSTS], "What was the net change in cash in 2018?", ("5",), "million"),
        ([COSTS], "What is the total inventories in 2018 and 2019?", ("70",), "million"),
        ([COSTS], "What were inventories in 2018 and 2019, respectively?", ("30", "40"), "million"),
        ([COSTS], "What were inventories and receivables in 2018, respectively?", ("30", "18"), "million"),
        ([GROWTH], "What was the percentage increase in modules from 2018 to 2019?", ("191%",), "percent"),
        ([GROWTH], "Which item had the second highest value in 2019?", ("Modules",), ""),
        ([QUARTERS], "What were the revenues in the third quarter of 2019?", ("88",), "million"),
        ([QUARTERS], "What is the change in revenues between the third and fourth quarter?", ("-4",), "million"),
        ([QUARTERS], "How many quarters did revenues exceed $90 million?", ("2",), ""),
        ([AWARDS], "What is the change in the number of shares granted between 2018 and 2019?", ("53",), ""),
        ([TAXES], "What are the items under deferred tax assets?", ("Carryforwards", "Benefits"), ""),
        ([TAXES], "How many components are there under deferred tax liabilities?", ("2",), ""),
        ([BALANCE], "应收账款期末比期初增加了多少？", ("20",), "million"),
        ([BALANCE], "货币资金占流动资产合计的比例是多少？", ("50",), "percent"),
        ([BALANCE], "存货和应收账款合计是多少？", ("500",), "million"),
        ([BALANCE], "流动资产包括哪些项目？", ("货币资金", "应收账款", "存货"), ""),
        ([REGIONS], "2023年华东的营业收入是多少？", ("8,000",), "ten thousand"),
        ([REGIONS], "华东收入比华南多多少？", ("3,655",), "ten thousand"),
        ([REGIONS], "哪个地区的收入最高？", ("华东",), ""),
    ],
)
def test_answers_from_one_table(tables, question, texts, scale):
    answer = FigureFinder(tables, FigureSettings()).answer(question)
    assert answer is not None
    assert (answer.texts, answer.scale) == (texts, scale)


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("What was total revenue in 2015?", id="another year"),
        pytest.param("What was the number of employees in 2023?", id="another item"),
        pytest.param("What was the goodwill of the northern region in 2022?", id="half of it known"),
        pytest.param("What was it?", id="nothing asked"),
    ],
)
def test_no_cell_is_guessed(question):
    assert FINDER.answer(question) is None


def test_the_formula_names_the_cells_it_rests_on():
    answer = FINDER.answer("What was the percentage change in total revenue between 2022 and 2023?")
    assert answer.formula == "(211 − 197) / 197"
    assert [figure.cell.text for figure in answer.figures] == ["211", "197"]


def test_losses_change_by_their_sign():
    losses = table(["2019", "2018"], ("", "Loss from operations", ["(25.0)", "(33.6)"]))
    answer = FigureFinder([losses], FigureSettings()).answer("What is the percentage change in loss from operations?")
    assert answer.texts == ("-25.6",)
    assert answer.formula == "((25) − (33.6)) / (33.6)"


def test_two_items_are_divided_and_subtracted():
    loans = table(["2020"], ("", "Cash loans", ["30"]), ("", "Trade loans", ["20"]), ("", "Total loans", ["120"]))
    finder = FigureFinder([loans], FigureSettings())
    assert finder.answer("What is the ratio of cash loans to total loans in 2020?").texts == ("0.25",)
    assert finder.answer("What is the percentage of cash loans in total loans in 2020?").texts == ("25",)
    assert finder.answer("What is the difference between cash loans and trade loans in 2020?").texts == ("10",)


def test_a_quarter_answers_only_if_it_is_asked_for():
    quarterly = table(["First quarter 2020", "Fiscal year 2020"], ("", "Net sales", ["4,002", "17,626"]))
    finder = FigureFinder([quarterly], FigureSettings())
    assert finder.answer("What were net sales in 2020?").texts == ("17,626",)
    assert finder.answer("What were net sales in the first quarter of 2020?").texts == ("4,002",)


def test_a_year_that_ends_in_january_is_that_of_its_document():
    leases = table(["February 3, 2024", "January 28, 2023"], ("", "Operating lease assets", ["602", "611"]))
    asked = "What were the operating lease assets in fiscal 2023?"
    told = {offset: FigureFinder([leases], FigureSettings(), (), [offset]).answer(asked) for offset in (0, -1, None)}
    assert told[0].texts == ("611",)
    assert told[-1].texts == ("602",)
    assert min(told[0].confidence, told[-1].confidence) >= FigureSettings().min_confidence > told[None].confidence


def test_a_quarter_and_a_year_that_end_on_one_day_are_not_compared():
    dates = ["January 28, 2023", "January 29, 2022"]
    both = table([*dates, *dates], ("", "Net sales", ["3,226", "2,729", "10,208", "8,630"]))
    answer = FigureFinder([both], FigureSettings()).answer("How much did net sales grow in the fourth quarter?")
    assert answer is None or answer.confidence < FigureSettings().min_confidence


def test_a_value_that_nothing_says_is_of_a_quarter_is_not_sure():
    sales = table(["2019", "2018"], ("", "Net sales", ["90", "80"]))
    asked = "What were net sales in the second quarter of 2019?"
    assert FigureFinder([sales], FigureSettings()).answer(asked).confidence < FigureSettings().min_confidence


def test_a_change_in_the_cash_flow_statement_is_no_balance():
    flows = table(["2023", "2022"], ("Changes in operating assets", "Merchandise inventories", ["(104)", "(331)"]))
    balance = table(["2023", "2022"], ("Current assets", "Merchandise inventories, net", ["1,603", "1,499"]))
    finder = FigureFinder([flows, balance], FigureSettings())
    assert finder.answer("What were merchandise inventories in 2023?").texts == ("1,603",)


def test_a_value_that_several_tables_agree_on_is_preferred():
    part = table(["2020"], ("", "Total revenue", ["7"]))
    whole = table(["2020"], ("", "Total revenue", ["90"]))
    finder = FigureFinder([part, whole, whole], FigureSettings())
    assert finder.answer("What was total revenue in 2020?").texts == ("90",)


def test_dividing_by_nothing_gives_no_answer():
    empty = table(["2020", "2019"], ("", "Net sales", ["5", "—"]))
    finder = FigureFinder([empty], FigureSettings())
    assert finder.answer("What was the percentage change in net sales from 2019 to 2020?") is None


@pytest.mark.parametrize(
    ("question", "operation"),
    [
        ("What was the growth rate of sales?", Operation.PERCENT_CHANGE),
        ("How much did sales increase from 2018 to 2019?", Operation.CHANGE),
        ("What proportion of sales is domestic?", Operation.SHARE),
        ("What are the components of total revenue?", Operation.ITEMS),
        ("Which segment had the highest revenue?", Operation.WHICH),
        ("净利润增加了多少？", Operation.CHANGE),
        ("What was revenue in 2019?", Operation.LOOKUP),
    ],
)
def test_operations(question, operation):
    assert operation_of(question) is operation


def test_what_a_question_names():
    assert years_of("FY19, F18 and 2017; not 12019 or 201") == {2019, 2018, 2017}
    assert pair_of("What is the ratio of debt to equity in 2019?") == ("debt", "equity")
    limit, before = limit_of("How many years did sales exceed $5,000 million?")
    assert (limit.above, limit.value, limit.scale) == (True, 5000.0, "million")
    assert before.endswith("sales ")


VOTES = table(
    ["Votes For", "Votes Against", "Abstentions"],
    ("", "Ada Brook", ["59,657,810", "294,935", "6,884,223"]),
    ("", "Ben Crane", ["54,484,293", "5,105,005", "6,884,223"]),
    ("", "57,172,731 170,172", ["13,324,080", "9,324,080", "6,884,223"]),
    caption="Name",
    scale="",
)
SEGMENT = table(["2018", "2017"], ("", "Sales (millions)", ["12,267", "11,866"]), ("", "Growth", ["3", "4"]))


def test_the_item_with_most_is_one_with_a_name_and_never_a_row_of_numbers() -> None:
    answer = FigureFinder([VOTES], FigureSettings()).answer("Which nominee had the most votes against?")
    assert answer is not None
    assert answer.texts == ("Ben Crane",)
    assert answer.confidence >= FigureSettings().min_confidence


def test_a_row_that_only_repeats_the_question_is_no_item() -> None:
    assert FigureFinder([SEGMENT], FigureSettings()).answer("Which segment had the largest sales in 2018?") is None


def test_a_number_of_things_is_certain_where_the_question_names_its_row_and_its_column() -> None:
    finder = FigureFinder([VOTES], FigureSettings())
    for question, value in (
        ("How many votes were cast for Ada Brook?", "59,657,810"),
        ("How many votes were cast against Ada Brook?", "294,935"),
    ):
        answer = finder.answer(question)
        assert answer is not None
        assert answer.texts == (value,)
        assert answer.confidence >= FigureSettings().min_confidence
    unnamed = finder.answer("How many votes were withheld from Ada Brook?")
    assert unnamed is None or unnamed.confidence < FigureSettings().min_confidence


def test_how_many_is_no_amount_of_money_but_may_count_rows_of_it() -> None:
    fees = table(
        ["2019"], ("", "Audit fees", ["$ 30"]), ("", "Tax fees", ["$ 20"]), ("", "Aircraft delivered", ["$ 563"])
    )
    finder = FigureFinder([fees], FigureSettings())
    assert finder.answer("How many aircraft were delivered in 2019?") is None
    counted = finder.answer("How many types of fees exceeded $25 in 2019?")
    assert counted is None or "$" not in counted.texts[0]


def test_the_revenue_of_the_smallest_segment_is_not_stated_as_the_company_s() -> None:
    amounts = {"Corporate": "40", "Europe": "11,456", "North America": "17,179"}
    tables = [
        table(["2021", "2020"], ("", "Total revenues" if len(value) > 2 else "Revenues", [value, "9"]), caption=name)
        for name, value in amounts.items()
    ]
    settings = FigureSettings()
    for searched, sure in ((tables, False), (tables[:1], True)):
        answer = FigureFinder(searched, settings).answer("What were the revenues in 2021?")
        assert answer is not None
        assert answer.texts == ("40",)
        assert (answer.confidence >= settings.min_confidence) is sure
