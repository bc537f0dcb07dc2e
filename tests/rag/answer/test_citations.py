from __future__ import annotations

import pytest

from rag.answer.citations import check_citations
from rag.records import Citation, Source
from rag.settings import AnswerSettings

PUMP = "The pump was built in 1931. It weighs 12 kg and stands in Gdansk."
VALVE = "The valve is blue. It was replaced in 2004 by the owner."
CHINESE = "合同编号是第7731号。合同有效期为两年。"


def sources(*texts: str) -> list[Source]:
    return [Source(n, n, "a" * 64, "x.pdf", 0, 0, "1", (), text, 0, len(text), 1.0) for n, text in enumerate(texts, 1)]


def cited(answer: str, *texts: str) -> list[tuple[str, list[int]]]:
    found = check_citations(answer, sources(*texts), AnswerSettings())
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


def only_citation(answer: str, text: str) -> Citation:
    (sentence,) = check_citations(answer, sources(text), AnswerSettings())
    (citation,) = sentence.citations
    return citation


def test_a_wrong_number_halves_the_support():
    """Both sentences of the source together hold valve, replaced and owner; they hold 2004 and not 2005."""
    right = only_citation("The valve was replaced in 2004 by the owner [1].", VALVE)
    wrong = only_citation("The valve was replaced in 2005 by the owner [1].", VALVE)
    assert right == Citation(1, 1.0, 0, len(VALVE))
    assert wrong == Citation(1, 3 / 4 / 2, 0, len(VALVE))


def test_a_mark_is_dropped_below_the_least_support():
    """Of five terms the source holds owner and replaced, not 2005: 2 / 5 / 2 is too little."""
    assert cited("In 2005 another owner replaced pump rotors [1].", VALVE) == [
        ("In 2005 another owner replaced pump rotors.", [])
    ]


def test_a_source_that_no_mark_names_needs_more_support():
    """Three of five terms are enough, two of four are not, nor are any with a number that the source lacks."""
    assert cited("Its owner replaced blue pump rotors.", VALVE)[0][1] == [1]
    assert cited("Its owner replaced pump rotors.", VALVE)[0][1] == []
    assert cited("Its owner replaced the blue valve in 2005.", VALVE)[0][1] == []


def test_a_verbatim_sentence_is_cited_where_it_stands():
    citation = only_citation("合同有效期为两年。[1]", CHINESE)
    assert citation == Citation(1, 1.0, CHINESE.index("合同有效期"), len(CHINESE))


def test_a_paraphrase_is_cited_where_its_sentence_stands():
    citation = only_citation("In 2004 the owner replaced it [1].", VALVE)
    assert citation == Citation(1, 1.0, VALVE.index("It was replaced"), len(VALVE))


def test_words_quoted_from_within_a_sentence_are_cited_as_they_stand():
    assert only_citation("blue valve [1]", "The big blue valve stands.") == Citation(1, 1.0, 8, 18)


def test_a_mark_on_the_next_line_belongs_to_the_sentence_before():
    assert cited("Its owner replaced pump rotors.\n[1]", VALVE)[0][1] == [1]


def test_the_three_best_supported_marks_are_kept_the_best_first():
    texts = ["The old valve.", "The blue valve of Gdansk.", "The blue valve.", "The old blue valve of Gdansk."]
    assert cited("The old blue valve of Gdansk [1][2][3][4].", *texts)[0][1] == [4, 2, 1]


def test_a_mark_is_believed_across_languages_because_terms_cannot_agree():
    assert cited("泵建于1931年[1]。", PUMP) == [("泵建于1931年。", [1])]


def test_white_space_between_sentences_is_kept():
    found = check_citations("One thing.\n\n- Another thing. Third.", sources(PUMP), AnswerSettings())
    assert "".join(sentence.lead + sentence.text for sentence in found) == "One thing.\n\n- Another thing. Third."


def test_the_number_of_a_list_item_is_neither_a_sentence_nor_a_claim():
    found = cited("1. The pump was built in 1931 [1].\n2. It weighs 12 kg [1].", PUMP)
    assert [numbers for _, numbers in found] == [[1], [1]]
    assert cited("1.\nIt weighs 12 kg [1].", "1. It weighs 12 kg.") == [("1.", []), ("It weighs 12 kg.", [1])]
