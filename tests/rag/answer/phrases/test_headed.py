"""What stands under headings and behind labels."""

from __future__ import annotations

import pytest

from rag.answer.phrases.headed import deeds_first, find_headed, find_label
from rag.answer.sentences import split_sentences
from rag.reader import Evidence
from rag.records import Source

RESUME = """Daniel Okoro
Structural engineer, Leeds
Date of birth: 17 November 1985
Education
MEng Civil Engineering, University of Sheffield
Languages
English, Igbo, French
Memberships
Institution of Structural Engineers
Timber Engineering Society
References
Available on request from the office in Leeds, which answers within two days."""
ORDER = """采购订单
订单编号：PO-2025-0388
买方
远桥精密机械有限公司
卖方
启辰轴承贸易行
合计金额：¥10,040.00"""
NEWS = """Thornbury Glassworks announces change
Thornbury Glassworks said that its head, Margaret Sefton, will step down in June.
Edwin Thornbury set up the company in a brewery."""


def source(text: str, name: str = "a.pdf") -> Source:
    return Source(1, 1, "d", name, 0, 0, "1", (), text, 0, len(text), 1.0)


def evidence(text: str) -> list[Evidence]:
    return [Evidence(1, sentence, 1.0) for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Which languages does Daniel Okoro speak?", RESUME, ["English", "Igbo", "French"]),
        (
            "Which memberships does Daniel Okoro have?",
            RESUME,
            ["Institution of Structural Engineers", "Timber Engineering Society"],
        ),
        ("卖方是哪家公司？", ORDER, ["启辰轴承贸易行"]),
        ("Which references does Daniel Okoro have?", RESUME, None),
        ("Which companies does Daniel Okoro advise?", RESUME, None),
        ("Which languages does Daniel Okoro's office speak?", RESUME, None),
        ("Who is Daniel Okoro?", RESUME, None),
    ],
)
def test_the_lines_below_a_heading_answer_if_it_is_what_is_asked_for(
    question: str, text: str, expected: list[str] | None
) -> None:
    found = find_headed(question, [source(text)])
    assert (found and [text[start:end] for start, end in found.items]) == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("What is Daniel Okoro's date of birth?", RESUME, "17 November 1985"),
        ("采购订单的合计金额是多少？", ORDER, "¥10,040.00"),
        ("What is Daniel Okoro's place of birth?", RESUME, None),
    ],
)
def test_a_label_may_leave_out_what_its_document_is_about(question: str, text: str, expected: str | None) -> None:
    found = find_label(question, evidence(text), [source(text)])
    assert (found and found[0].text[found[1] : found[2]]) == expected


def test_the_sentence_with_the_deed_comes_before_one_that_is_only_about_the_same() -> None:
    given = evidence(NEWS)[1:]
    assert deeds_first("Who founded Thornbury Glassworks?", given, [source(NEWS)])[0] is given[1]
    assert deeds_first("Who resigned at Thornbury Glassworks?", given, [source(NEWS)])[0] is given[0]


FORM = "型号：MW-FB40　额定电压：220V　额定功率：860W　容量：4升"
PARTIES = "出租方（甲方）：张建国 承租方（乙方）：李晓梅"


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("容量是多少？", FORM, "4升"),
        ("功率多大？", FORM, "860W"),
        ("额定电压是多少？", FORM, "220V"),
        ("电流是多少？", FORM, None),
        ("额定的是什么？", FORM, None),
        ("承租方叫什么？", PARTIES, "李晓梅"),
        ("出租方是谁？", PARTIES, "张建国"),
        ("他多大年纪？", "姓名：王建军　性别：男　年龄：46岁", "46岁"),
        ("领队是谁？", "领队：扎西多吉，电话 138 8017 4426。", "扎西多吉"),
        ("日期是什么？", "发票日期：5月9日　到期日期：6月8日", None),
    ],
)
def test_a_line_may_have_several_labels(question: str, text: str, expected: str | None) -> None:
    found = find_label(question, [Evidence(1, text, 1.0)], [source("A form\n" + text)])
    assert (found and text[found[1] : found[2]]) == expected
