"""The years, names and codes of questions, and whether texts hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer import named_things
from rag.answer.missing import HeldTerms
from rag.answer.named_things import Kind, NamedThing, arabic, things_named, years_in


def named(question: str) -> list[str]:
    return [thing.text for thing in things_named(question)]


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("What was Ulta Beauty's net income in 2015?", ["2015", "Ulta Beauty"]),
        ("Who is the CEO of Tesla?", ["Tesla"]),
        ("What is the FY2018 capital expenditure amount (in USD millions) for 3M?", ["FY2018", "3M"]),
        (
            "How many people work at the Bank of America in FY22, FY21 and F20?",
            ["FY22", "FY21", "F20", "Bank of America"],
        ),
        ("Did General Mills file its 10-K for Q3 2020?", ["2020", "General Mills"]),
        ("Revenue in 2022?", ["2022"]),
        ("what is the weight of the x200-b?", ["x200-b"]),
        ("What does section 5.2 say about contract no. 7731?", ["section 5.2", "contract no. 7731"]),
        ("What happened in 1487?", ["1487"]),
        ("What was the Total Revenue?", []),
        ("How much do 1500 units cost within a 12-month term at 24V?", []),
        ("Which is the 3rd largest, and why?", []),
        ("Was It Right To Leave The House Of Lancaster?", []),
        ("特斯拉的首席执行官是谁？", ["特斯拉"]),
        ("苹果公司2022年的收入是多少？", ["2022", "苹果公司"]),
        ("贵州茅台二零二二年的营业收入是多少？", ["二零二二", "贵州茅台"]),
        ("22财年Tesla的CEO是谁？", ["22", "Tesla"]),
        ("请问张伟在哪里工作？", ["张伟"]),
        ("华为有多少员工？", ["华为"]),
        ("《劳动合同法》第十二条规定了什么？", ["第十二条", "劳动合同法"]),
        ("合同编号7731的签订日期是什么时候？", ["编号7731"]),
        ("为什么利润下降？", []),
        ("....", []),
        ("", []),
    ],
)
def test_what_a_question_names(question, texts):
    assert named(question) == texts


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("the years ended 2019, FY18, fiscal '17 and F16", {2019, 2018, 2017, 2016}),
        ("二〇一九年和一九九八年，22财年", {2019, 1998, 2022}),
        ("season 2015-16", {2015, 2016}),
        ("$2,015 and 12015 and 2015.5", set()),
        ("1500 pieces, but in 1487", {1487}),
        ("于1368年建立", {1368}),
    ],
)
def test_the_years_of_a_text(text, years):
    assert years_in(text) == years


@pytest.mark.parametrize(
    ("number", "digits"), [("十二", "12"), ("二十", "20"), ("一百零五", "105"), ("三", "3"), ("3.2", "3.2"), ("", "")]
)
def test_chinese_numerals(number, digits):
    assert arabic(number) == digits


def holds(text: str, question: str) -> bool:
    """Whether the text holds the last thing that the question names; the words of "American Airlines" are frequent."""
    return HeldTerms.of(text).holds(
        things_named(question)[-1], lambda term: 1.0 if term in ("american", "airline") else 5.0
    )


@pytest.mark.parametrize(
    ("text", "question", "held"),
    [
        ("Net sales of fiscal 2022", "Sales in FY22?", True),
        ("2022年度报告", "二零二二年的收入是多少？", True),
        ("Net sales of fiscal 2021", "Sales in FY22?", False),
        ("The German army", "Where is Germany?", True),
        ("French colonies", "Where is France?", True),
        ("The North Atlantic Treaty Organization says", "Who runs NATO?", True),
        ("Mr. Nadella signed.", "Who is Satya Nadella?", True),
        ("Mr. Satya signed.", "Who is Satya Nadella?", False),
        ("American products and the airline industry", "Where does American Airlines fly?", False),
        ("American Airlines flies to Rome.", "Where does American Airlines fly?", True),
        ("We apply the rules.", "What did it sell to Apple?", False),
        ("第十二条 违约责任", "第12条规定了什么？", True),
        ("第十三条 违约责任", "第12条规定了什么？", False),
        ("茅台酒的产量", "贵州茅台的产量是多少？", True),
        ("五粮液的产量", "贵州茅台的产量是多少？", False),
        ("The X200-B weighs 12 kg.", "How heavy is the X200-B?", True),
        ("The X200-C weighs 12 kg.", "How heavy is the X200-B?", False),
    ],
)
def test_whether_a_text_holds_it(text, question, held):
    assert holds(text, question) is held


def test_long_questions_and_texts_take_linear_time():
    assert things_named("A" * 4_000 + " of the " * 500) == things_named("A" * 1_000)
    HeldTerms.of("W" * 100_000 + " of the" * 1_000).holds(NamedThing("WHO", Kind.NAME, ("who",)), lambda term: 1.0)


YEAR_PARTS = (
    *("2019", "1850", "19", "1999", "12", "201", "20191", "٢٠", "二零一九", "〇", "年", "财年", "在"),
    *(
        "FY",
        "fiscal year",
        "fiscal",
        "financial year",
        "F",
        "in",
        "of",
        "year",
        "'",
        "’",
        " ",
        "\n",
        "-",
        "/",
        ".",
        ",",
    ),
    *("$", "%", "ab", "a", "#", "x"),
)


@given(st.lists(st.sampled_from(YEAR_PARTS), max_size=14).map("".join))
def test_years_are_those_that_the_whole_pattern_finds(text):
    found = {named_things._year_of(match) for match in named_things._YEAR.finditer(text)}
    assert {named_things._year_of(match) for match in named_things._years(text)} == found
