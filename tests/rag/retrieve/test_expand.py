from __future__ import annotations

from pathlib import Path

import pytest

import rag.retrieve.expand
from rag.index.tokenize import terms
from rag.retrieve.expand import expand_query, line_items
from rag.retrieve.statements import Statement
from rag.settings import QuerySettings

DEFAULTS = QuerySettings()
INSTRUCTION = DEFAULTS.instruction_term_weight


@pytest.mark.parametrize(
    ("question", "item"),
    [
        ("What is the quick ratio?", "total current liabilities"),
        ("Is the company capital-intensive?", "additions to property plant and equipment"),
        ("How high was capex in 2021?", "statement of cash flows"),
        ("What was the DPO?", "accounts payable"),
        ("Use the statement of financial position.", "consolidated balance sheet"),
        ("公司的流动比率是多少？", "流动负债合计"),
        ("第三季度的收入是多少？", "Q3"),
        ("How many shares were sold in the third quarter?", "Q3"),
        ("Which guidance was given for fiscal 2023?", "expects full year"),
        ("Is there any lawsuit in the annual report?", "legal proceedings"),
        ("公司的商誉是多少？", "商誉"),
    ],
)
def test_a_financial_figure_is_expanded_into_its_line_items(question, item):
    assert any(item in found for found in line_items(question))


@pytest.mark.parametrize(
    "question",
    [
        "Who designed the bridge?",
        "桥是谁设计的？",
        "What is a capexo?",
        "What does the guidance say about washing hands?",
        "How do patients acquire the virus?",
        "Who is the goodwill ambassador?",
        "How does the pump handle use leverage?",
        "Is an illegal copy ever legal?",
        "毛利人住在哪里？",
        "杠杆的原理是什么？",
        "",
    ],
)
def test_other_questions_are_not_expanded(question):
    assert line_items(question) == []
    assert expand_query(question, DEFAULTS).texts == (question,)
    assert expand_query(question, DEFAULTS).terms.keys() == set(terms(question))


def test_line_items_are_embedded_with_the_question_unless_turned_off():
    question, items = expand_query("What is the quick ratio?", DEFAULTS).texts
    assert question == "What is the quick ratio?"
    assert items.endswith("consolidated balance sheet")
    assert expand_query("What is the quick ratio?", QuerySettings(line_items=False)).texts == (
        "What is the quick ratio?",
    )


def test_instructions_weigh_less_and_form_no_bigrams():
    query = expand_query("Please round the bridge height to decimal places", DEFAULTS)
    assert query.terms["bridge"] == query.terms["height"] == 1.0
    assert query.terms["round"] == query.terms["decimal"] == INSTRUCTION
    assert query.bigrams == {("bridge", "height")}


def test_an_instruction_that_is_part_of_a_line_item_weighs_in_full():
    assert expand_query("What amount of long-term debt is there?", DEFAULTS).terms["amount"] == INSTRUCTION
    assert expand_query("What is the free cash flow?", DEFAULTS).terms["provided"] == 1.0


def test_every_line_of_the_tables_is_a_rule_with_terms():
    folder = Path(rag.retrieve.expand.__file__).parent
    lines = [
        line
        for name in ("line_items.txt", "other_names.txt")
        for line in (folder / name).read_text("utf-8").splitlines()
        if " | " in line and not line.startswith("#")
    ]
    known = rag.retrieve.expand._rules()
    assert len(known) == len(lines) > 40
    for rule in known:
        assert not rule.pattern.search("")
        assert all(
            terms(text) and text not in ("BALANCE", "INCOME", "CASH", "资产", "利润", "现金") for text in rule.texts
        )


def test_the_statements_and_the_rows_of_a_figure_are_known_by_their_names():
    query = expand_query("What is the FY2022 free cash flow?", DEFAULTS)
    assert query.statements == {Statement.CASH}
    assert ("capital expenditures", "purchases of property plant equipment") in query.line_items
    assert expand_query("毛利率是多少？", DEFAULTS).statements == {Statement.INCOME}


def test_the_headings_of_a_subject_are_searched_and_are_no_rows():
    query = expand_query("Is there any lawsuit in the annual report?", DEFAULTS)
    assert "proceeding" in query.terms
    assert "legal proceedings" in query.headings
    assert not query.line_items
    assert not query.statements


def test_the_name_of_the_report_itself_says_how_to_answer():
    query = expand_query("Which firms are mentioned in this 10K report?", DEFAULTS)
    assert query.terms == {"firm": 1.0, "mentioned": INSTRUCTION, "10k": INSTRUCTION, "report": INSTRUCTION}
