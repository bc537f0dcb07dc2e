"""Items and metrics of accounts, asked as people ask, over statements of made-up companies."""

from __future__ import annotations

import pytest

from rag.answer.metrics.compute import Accounts
from rag.answer.metrics.documents import Named
from rag.answer.metrics.question import MAX_QUESTION_CHARACTERS
from rag.answer.metrics.short_metric import short_metric, unreported
from rag.answer.metrics.statements import find_statements
from rag.index.protocols import Scope
from rag.records import Document
from tests.rag.answer.metrics import statements


class Finder:
    """The documents of a library that need no database."""

    def __init__(self, **texts: tuple[str, ...]) -> None:
        self._pages = {name: statements.pages(*made) for name, made in texts.items()}

    def documents(self, company, scope, sources):
        named = [name for name in self._pages if not company or "".join(company).lower() in name.lower()]
        return [Document(name, "", f"{name}.pdf", "", 1, 9, 9, {}, (), 0.0) for name in named]

    def sides(self, company, scope):
        named = [Named(word, tuple(self.documents((word,), scope, []))) for word in company]
        return tuple(named) if len(named) == 2 and all(one.documents for one in named) else ()

    def accounts(self, document):
        return Accounts(document.id, find_statements(self._pages[document.id]))


NORTHWIND = Finder(Northwind=statements.NORTHWIND)
北风 = Finder(北风=statements.北风)


def answered(question: str, finder: Finder = NORTHWIND) -> str | None:
    """Value and scale of the answer."""
    found = short_metric(finder, Scope(""), question, [])
    return found and f"{'; '.join(found.short.values)} {found.short.scale}".strip()


ENGLISH = {
    # items, in the unit that is asked for
    "What were Northwind's net sales in 2022?": "$800 million",
    "What is the FY2023 capital expenditure amount (in USD millions) for Northwind?": "$80 million",
    "What was Northwind's net PP&E at the end of 2023, in USD billions?": "$0.5 billion",
    "How much did Northwind pay out in cash dividends in FY2023 (in USD thousands)?": "$27,000 thousand",
    "What was Northwind's diluted EPS in 2023?": "$1.35",
    "What was Northwind's interest expense in 2023?": "$20 million",
    "What did Northwind spend on share repurchases in 2022?": "$10 million",
    # margins and rates
    "What was Northwind's gross margin in 2023?": "40.00 percent",
    "What is Northwind's FY2022 operating margin? Round to two decimal places.": "17.50 percent",
    "What was the net profit margin of Northwind in fiscal 2021?": "11.72 percent",
    "What is the FY2023 unadjusted EBITDA % margin for Northwind?": "25.00 percent",
    "What was Northwind's effective tax rate in 2022?": "20.00 percent",
    "What is Northwind's FY2023 COGS % margin?": "60.00 percent",
    "What was R&D as a percentage of net sales at Northwind in 2023?": "5.00 percent",
    "What share of revenue did Northwind spend on R&D in 2023?": "5.00 percent",
    # liquidity and debt
    "What was Northwind's current ratio at the end of 2023?": "2.50",
    "What is the quick ratio of Northwind for FY2023?": "1.69",
    "What is Northwind's net working capital for 2023?": "$240 million",
    "What is the operating cash flow ratio of Northwind for FY2023?": "1.31",
    "What was Northwind's total debt in 2023?": "$250 million",
    "What was Northwind's net debt in 2023?": "$100 million",
    "What is Northwind's debt to equity ratio for 2022?": "0.53",
    "What is the interest coverage ratio of Northwind for 2023?": "10.00",
    # returns, turnover, days
    "What was Northwind's return on assets in 2023?": "15.98 percent",
    "What was Northwind's ROE in 2023?": "27.55 percent",
    "What was Northwind's asset turnover in 2023?": "1.18",
    "What is the fixed asset turnover ratio of Northwind for FY2023?": "2.50",
    "What is Northwind's inventory turnover for 2023?": "5.00",
    "What is the DIO of Northwind for FY2023?": "73.00",
    "What is the days sales outstanding of Northwind for FY2023?": "36.50",
    "What is the cash conversion cycle of Northwind for FY2023?": "63.88",
    # cash flow and dividends
    "What was Northwind's free cash flow in 2023?": "$130 million",
    "What is the FY2023 dividend payout ratio for Northwind?": "0.20",
    "What is the retention ratio of Northwind for FY2023?": "0.80",
    # over years
    "What is Northwind's year-over-year change in revenue from FY2022 to FY2023 (in units of percents)?": (
        "25.00 percent"
    ),
    "By how much did Northwind's operating income change from 2022 to 2023?": "$60 million",
    "What is Northwind's 2 year total revenue CAGR from FY2021 to FY2023?": "25.00 percent",
    "What is the FY2021 - FY2023 3 year average of capex as a % of revenue for Northwind?": "6.83 percent",
    "What is the ratio of inventories to net sales of Northwind in 2023?": "0.13",
    "What is the FY2023 EBITDA less capex of Northwind?": "$170 million",
    "How much has the effective tax rate of Northwind changed between 2022 and 2023?": "5.00 percentage points",
    "What were Northwind's net sales in 2021, 2022 and 2023?": "$640; $800; $1,000 million",
    # what is said before the question
    "In 2021, what was Northwind's operating income?": "$110 million",
    "Northwind: what were the inventories at the end of 2022?": "$110 million",
    # as people word it
    "Northwind's FY23 capex?": "$80 million",
    "What was Northwind's inventory at 31 December 2022?": "$110 million",
    "Calculate Northwind's FY2023 asset turnover (revenue / total assets).": "1.00",
    "What is the working capital (current assets minus current liabilities) of Northwind in 2022?": "$170 million",
    "What is Northwind's capex-to-sales ratio for 2023?": "0.08",
    "How fast did Northwind's revenue grow in 2022?": "25.00 percent",
    "What is Northwind's inventory turnover based on FY2023 data?": "5.00",
    "What is the sum of Northwind's cash and inventories at the end of 2023?": "$230 million",
    "What was Northwind's capex in 2023 as a multiple of depreciation and amortization?": "1.60",
    "Was Northwind profitable in 2021?": "Yes",
    "How many times has Northwind sold its inventory in 2023?": "5.00",
    "How much cash did Northwind generate from operating activities in 2022?": "$150 million",
    # yes or no
    "Did Northwind's gross margin improve in 2023?": "Yes",
    "Has Northwind increased its debt between 2022 and 2023?": "Yes",
    "Is Northwind's working capital positive as of 2023?": "Yes",
    "Does Northwind have a healthy quick ratio for 2023?": "Yes",
    # the newest year where none is named
    "What is Northwind's current ratio?": "2.50",
}


def test_chinese_statements_in_yuan_with_columns_for_this_year_and_last():
    balance = statements.资产负债表.replace("单位：万元", "2023年12月31日\n单位：元").replace(
        "2023年12月31日 | 2022年12月31日", "期末余额 | 期初余额"
    )
    income = (
        statements.利润表.replace("单位：万元", "2023年度\n单位：元")
        .replace("2023年度 | 2022年度", "本期发生额 | 上期发生额")
        .replace("10,000", "1,234,000,000")
    )
    finder = Finder(北风=(income, balance))
    assert answered("北风2023年的营业收入是多少亿元？", finder) == "12.34 hundred million"
    assert answered("北风2022年的营业成本是多少？", finder) == "5,000"
    assert answered("北风2022年末的存货是多少？", finder) == "1,100"


SOUTHWIND = tuple(text.replace("1,000", "3,000").replace("NORTHWIND", "SOUTHWIND") for text in statements.NORTHWIND)
BOTH = {
    "How much higher were Southwind's net sales than Northwind's in 2023?": "$2,000 million",
    "What is the difference between Northwind's and Southwind's net sales in 2023?": "($2,000) million",
    "Which company had the lower net margin in 2023, Northwind or Southwind?": "Southwind",
    "Were Northwind's net sales higher than Southwind's in 2023?": "No",
    "How much higher were Eastwind's net sales than Northwind's in 2023?": None,
    "How much higher were Northwind's net sales than expected in 2023?": None,
}

CHINESE = {
    "北风2023年的营业收入是多少？": "10,000 ten thousand",
    "北风2022年毛利率是多少？": "37.50 percent",
    "北风2023年的净利率是多少？请保留两位小数。": "14.25 percent",
    "北风2023年的流动比率是多少？": "2.50",
    "北风2023年末的资产负债率是多少？": "40.00 percent",
    "北风2023年存货周转率是多少？": "5.00",
    "北风2023年应收账款周转天数是多少？": "36.50",
    "北风2023年净资产收益率是多少？": "27.14 percent",
    "北风2023年的自由现金流是多少亿元？": "0.13 hundred million",
    "北风2023年的实际税率是多少？": "25.00 percent",
    "北风2023年营业收入同比增长率是多少？": "25.00 percent",
    "北风2023年净利润比2022年增加了多少？": "375 ten thousand",
    "北风2023年净利润比2022年多多少？": "375 ten thousand",
    "北风2023年的研发费用占营业收入的比例是多少？": "7.00 percent",
    "北风2023年存货占总资产的比重是多少？": "13.00 percent",
    "北风2023年毛利率提高了多少个百分点？": "2.50个百分点",
    "北风在2022年的研发费用是多少？": "500 ten thousand",
    "北风2023年的现金分红是多少？": "300 ten thousand",
    "北风2023年的研发费用是多少？": "700 ten thousand",
}


@pytest.mark.parametrize(("question", "value"), ENGLISH.items())
def test_every_family_of_figures_is_answered_in_english(question, value):
    assert answered(question) == value


@pytest.mark.parametrize(("question", "value"), CHINESE.items())
def test_every_family_of_figures_is_answered_in_chinese(question, value):
    assert answered(question, 北风) == value


@pytest.mark.parametrize(("question", "value"), BOTH.items())
def test_two_companies_are_compared(question, value):
    assert answered(question, Finder(Northwind=statements.NORTHWIND, Southwind=SOUTHWIND)) == value


def test_figures_of_two_companies_are_brought_to_one_scale_before_they_are_compared():
    income = statements.INCOME.replace("(In millions,", "(In thousands,").replace("NORTHWIND", "SOUTHWIND")
    finder = Finder(Northwind=(statements.INCOME,), Southwind=(income,))
    question = "How much higher were Northwind's net sales than Southwind's in 2023?"
    found = short_metric(finder, Scope(""), question, [])
    assert found.short.values == ("$999",)
    assert found.short.formula == "1,000 − 1"


def test_a_formula_that_the_question_spells_out_is_used():
    question = (
        "What is the FY2023 DPO for Northwind? DPO is defined as: 365 * (average accounts payable between FY2022 and "
        "FY2023) / (FY2023 COGS + change in inventory between FY2022 and FY2023). Round to one decimal place."
    )
    found = short_metric(NORTHWIND, Scope(""), question, [])
    assert found.short.values == ("44.2",)
    assert found.short.formula == "365 × ((60 + 90) / 2) / (600 + (130 − 110))"


def test_definitions_that_use_one_another_are_put_together():
    question = (
        "What is Northwind's FY2023 cover? Cover is defined as: (unadjusted EBITDA - capex) / interest expense. Define "
        "unadjusted EBITDA as operating income + depreciation and amortization. Round to two decimal places."
    )
    assert answered(question) == "8.50"


def test_another_name_in_parentheses_adds_nothing_to_the_formula():
    question = "What is Northwind's FY2023 operating income + depreciation and amortization (unadjusted EBITDA)?"
    assert answered(question) == "$250 million"


def test_amounts_per_share_are_not_taken_for_those_of_the_company():
    repeated = statements.INCOME.replace("Basic | $", "Net income | $").replace("Diluted | $", "Net income | $")
    finder = Finder(Northwind=(repeated,))
    assert answered("What was Northwind's net income in 2023?", finder) == "$135 million"


def test_the_plain_row_is_meant_where_others_only_add_words_to_its_label():
    more = statements.CASH.replace(
        "Purchases of property",
        "Purchases of property, plant and equipment on account | (9) | (9) | (9)\nPurchases of property",
    )
    assert answered("What was Northwind's capex in 2023?", Finder(Northwind=(more,))) == "$80 million"


def test_totals_of_a_balance_sheet_that_are_called_total_alone_are_told_apart():
    bare = statements.BALANCE.replace("Total assets", "Total").replace(
        "Total liabilities and stockholders' equity", "Total"
    )
    assert answered("What were Northwind's total assets in 2023?", Finder(Northwind=(bare,))) == "$1,000 million"


@pytest.mark.parametrize(
    "question",
    [
        "What was Northwind's cloud revenue in 2023?",
        "What was Northwind's revenue in Europe in 2023?",
        "What were Northwind's U.S. net sales in 2023?",
        "What is the sum of Northwind's capex in 2022 and 2023?",
        "What was Northwind's data revenue in 2023?",
        "What was Northwind's revenue per day in 2023?",
        "What were Northwind's assets held for sale in 2023?",
        "What was Northwind's restricted cash in 2023?",
        "What was Northwind's operating income excluding restructuring in 2023?",
        "What was Southwind's revenue in 2023?",
        "What was Northwind's revenue in 2015?",
        "What was Northwind's revenue in the fourth quarter of 2023?",
        "What was Northwind's revenue and net income in 2023?",
        "What was Northwind's income tax paid on foreign income in 2023?",
        "How much has Northwind's revenue grown since 2021?",
        "What drove the increase in Northwind's inventories in 2023?",
        "What is Northwind's FY2023 score? Score is defined as: customer satisfaction / revenue.",
        "What will Northwind's expected revenue be in 2023?",
        "What was Northwind's revenue in 2023? Who is the chief executive?",
    ],
)
def test_nothing_is_stated_where_a_word_a_year_or_a_company_is_not_understood(question):
    assert answered(question) is None


def test_the_citation_marks_the_cell_on_its_page():
    found = short_metric(NORTHWIND, Scope(""), "What was Northwind's gross margin in 2023?", [])
    assert [source.first_page for source in found.sources] == [2]
    quoted = [found.sources[0].text[one.start : one.end] for one in found.short.citations]
    assert quoted == ["400", "$ 1,000"]
    assert [row[0] for row in found.short.table.rows] == ["Gross profit", "Net sales"]
    assert found.short.table.headers == ("2023", "2022", "2021")
    assert found.short.table.marked == ((0, 0), (1, 0))


def test_statements_in_different_scales_are_converted():
    in_thousands = statements.CASH.replace("(In millions)", "(In thousands)").replace("(80)", "(80,000)")
    finder = Finder(Northwind=(statements.INCOME, in_thousands))
    assert answered("What was Northwind's capex as a % of revenue in 2023?", finder) == "8.00 percent"


def test_nothing_is_computed_from_a_statement_without_a_scale_and_one_with_it():
    unscaled = statements.CASH.replace("(In millions)", "")
    finder = Finder(Northwind=(statements.INCOME, unscaled))
    assert answered("What was Northwind's capex in 2023?", finder) == "$80"
    assert answered("What was Northwind's capex as a % of revenue in 2023?", finder) is None


def test_nothing_is_stated_where_two_rows_could_be_meant():
    doubled = statements.CASH.replace(
        "Dividends paid | (27)", "Dividends paid | (9) | (8) | (7)\nDividends paid | (27)"
    )
    assert answered("What were the dividends paid by Northwind in 2023?", Finder(Northwind=(doubled,))) is None


def test_income_tax_printed_as_a_cost_or_as_a_benefit_gives_the_same_rate():
    printed = statements.INCOME.replace("Provision for income taxes | 45", "Income tax (expense) benefit | (45)")
    assert answered("What was Northwind's effective tax rate in 2023?", Finder(Northwind=(printed,))) == "25.00 percent"


def test_the_report_on_the_year_asked_for_comes_first():
    older = tuple(
        text.replace("2021", "2020").replace("2022", "2021").replace("2023", "2022") for text in statements.NORTHWIND
    )
    finder = Finder(Northwind2022=older, Northwind2023=statements.NORTHWIND)
    found = short_metric(finder, Scope(""), "What were Northwind's net sales in 2022?", [])
    assert found.short.values == ("$1,000",)
    assert found.sources[0].document == "Northwind2022.pdf"


@pytest.mark.parametrize(
    ("wording", "question", "sure"),
    [
        ("", "What was Northwind's gross profit in fiscal 2023?", False),
        ("", "What was Northwind's gross profit in the year ended January 28, 2023?", True),
        ("In fiscal year 2023, which ended January 28, 2023, ", "What was Northwind's gross profit in 2023?", True),
    ],
)
def test_a_year_is_in_doubt_where_the_report_does_not_say_what_it_calls_it(wording, question, sure):
    dated = "| January 28, 2023 | January 29, 2022 | January 30, 2021"
    income = statements.INCOME.replace("Year ended December 31, | 2023 | 2022 | 2021", dated)
    finder = Finder(Northwind=(f"{wording}sales grew.", income))
    found = short_metric(finder, Scope(""), question, [])
    assert (found.short.values, found.short.sure) == (("$400",), sure)


def test_a_long_question_is_not_looked_at():
    assert answered("What were Northwind's net sales in 2022?" + " " * MAX_QUESTION_CHARACTERS) is None


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("What was Northwind's operating income in 2019?", ("operating income 2019",)),
        ("What were Northwind's net sales in 2024?", ("net sales 2024",)),
        ("What were Northwind's net sales in 2022?", ()),
        ("What were net sales in 2019?", ()),
        ("What were Southwind's net sales in 2019?", ()),
        ("Who is Northwind's auditor for 2019?", ()),
    ],
)
def test_a_year_that_no_statement_of_the_company_has_is_named(question, missing):
    assert unreported(NORTHWIND, Scope(""), question, []) == missing
