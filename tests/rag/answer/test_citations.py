from __future__ import annotations

import pytest

from rag.answer.citations import check
from rag.records import Source
from rag.settings import AnswerSettings

PUMP = "The pump was built in 1931. It weighs 12 kg and stands in Gdansk."
VALVE = "The valve is blue. It was replaced in 2004 by the owner."
CHINESE = "合同编号是第7731号。合同有效期为两年。"


def sources(*texts: str) -> list[Source]:
    return [Source(n, n, "a" * 64, "x.pdf", 0, 0, "1", (), text, 0, len(text), 1.0) for n, text in enumerate(texts, 1)]


def cited(answer: str, *texts: str) -> list[tuple[str, list[int]]]:
    found = check(answer, sources(*texts), AnswerSettings())
    return [(sentence.text, [citation.number for citation in sentence.citations]) for sentence in found]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            "The pump was built in 1931 [1].", [("The pump was built in 1931.", [1])], id="mark before the end"
        ),
        pytest.param(
            "The pump was built in 1931. [1]", [("The pump was built in 1931.", [1])], id="mark behind the end"
        ),
        pytest.param(
            "The valve is blue.[2]\n\nIt weighs 12 kg [1].",
            [("The valve is blue.", [2]), ("It weighs 12 kg.", [1])],
            id="two",
        ),
        pytest.param("The valve is blue 【2†x】.", [("The valve is blue.", [2])], id="the marks GLM was trained on"),
        pytest.param(
            "The pump weighs 12 kg [1, 2].", [("The pump weighs 12 kg.", [1])], id="two numbers, one supported"
        ),
        pytest.param(
            "The pump was built in 1931.", [("The pump was built in 1931.", [1])], id="a mark the reader forgot"
        ),
        pytest.param("The valve is blue [1].", [("The valve is blue.", [2])], id="a wrong mark is put right"),
        pytest.param("Cats like milk [1].", [("Cats like milk.", [])], id="nothing supports it"),
        pytest.param("The pump was built [7].", [("The pump was built.", [1])], id="a number that is no source"),
        pytest.param("", [], id="empty"),
    ],
)
def test_marks_are_checked_against_the_sources(answer, expected):
    assert cited(answer, PUMP, VALVE) == expected


def test_a_wrong_number_costs_a_sentence_its_support():
    right, wrong = check(
        "The valve was replaced in 2004 by the owner [1]. The valve was replaced in 2005 by the owner [1].",
        sources(VALVE),
        AnswerSettings(),
    )
    assert right.citations[0].support > 0.9
    assert wrong.citations == () or wrong.citations[0].support < 0.5


def test_the_cited_stretch_is_where_the_sentence_stands():
    (sentence,) = check("合同有效期为两年。[1]", sources(CHINESE), AnswerSettings())
    (citation,) = sentence.citations
    assert CHINESE[citation.start : citation.end] == "合同有效期为两年。"
    assert citation.support == 1.0


def test_a_paraphrase_points_at_the_sentence_it_rests_on():
    (sentence,) = check("In 2004 the owner replaced it [1].", sources(VALVE), AnswerSettings())
    (citation,) = sentence.citations
    assert "replaced in 2004" in VALVE[citation.start : citation.end]
    assert 0.5 < citation.support <= 1.0


def test_a_mark_across_languages_stands_because_words_cannot_agree():
    assert cited("泵建于1931年[1]。", PUMP) == [("泵建于1931年。", [1])]


def test_white_space_between_sentences_is_kept():
    found = check("One thing.\n\n- Another thing. Third.", sources(PUMP), AnswerSettings())
    assert "".join(sentence.lead + sentence.text for sentence in found) == "One thing.\n\n- Another thing. Third."


def test_the_numbers_of_a_list_are_no_sentences_and_cite_nothing():
    found = cited("1. The pump was built in 1931 [1].\n2. It weighs 12 kg [1].", PUMP)
    assert [numbers for _, numbers in found] == [[1], [1]]
