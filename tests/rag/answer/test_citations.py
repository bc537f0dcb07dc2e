from __future__ import annotations

import pytest

from rag.answer import citations
from rag.answer.citations import AnswerChecker, check_citations
from rag.answer.sentences import sentence_spans
from rag.records import Citation, ClaimState, Source
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


def test_a_wrong_number_is_shown_beside_the_one_of_the_source_whatever_the_mark_says():
    (sentence,) = check_citations("The valve was replaced in 2005 by the owner [1].", sources(VALVE), AnswerSettings())
    (conflict,) = sentence.conflicts
    assert sentence.claim is ClaimState.CONTRADICTED
    assert sentence.text[conflict.start : conflict.end] == "2005"
    assert VALVE[conflict.source_start : conflict.source_end] == "2004"
    assert [citation.number for citation in sentence.citations] == [1]


def test_a_mark_does_not_make_a_claim_supported():
    (sentence,) = check_citations("In 2005 another owner bought pump rotors [1].", sources(VALVE), AnswerSettings())
    assert (sentence.claim, sentence.citations) == (ClaimState.NOT_FOUND, ())


@pytest.mark.parametrize(
    "text", ["## Summary", "**Pump**", "The pump has these parts:", "您好！", "I hope this helps."]
)
def test_headings_and_greetings_claim_nothing(text):
    (sentence,) = check_citations(text, sources(PUMP), AnswerSettings())
    assert sentence.claim is None


def test_a_sentence_that_looks_like_an_offer_is_a_claim_if_a_source_says_it():
    text = "If you need any help, call the operator."
    (sentence,) = check_citations(text, sources(text), AnswerSettings())
    assert sentence.claim is ClaimState.SUPPORTED


def test_a_verbatim_sentence_is_cited_where_it_stands():
    citation = only_citation("合同有效期为两年。[1]", CHINESE)
    assert citation == Citation(1, CHINESE.index("合同有效期"), len(CHINESE))


def test_a_paraphrase_is_cited_where_its_sentence_stands():
    citation = only_citation("In 2004 the owner replaced it [1].", VALVE)
    assert citation == Citation(1, VALVE.index("It was replaced"), len(VALVE))


def test_words_quoted_from_within_a_sentence_are_cited_as_they_stand():
    assert only_citation("blue valve [1]", "The big blue valve stands.") == Citation(1, 8, 18)


def test_a_mark_on_the_next_line_belongs_to_the_sentence_before():
    assert cited("The valve is blue.\n[2]", VALVE, VALVE)[0][1] == [2]


def test_of_sources_that_say_the_same_the_marked_one_is_cited():
    assert cited("The pump was built in 1931 [2].", PUMP, PUMP)[0][1] == [2]
    assert cited("In 1931 the pump was built [2].", PUMP, PUMP)[0][1] == [2]


def test_white_space_between_sentences_is_kept():
    found = check_citations("One thing.\n\n- Another thing. Third.", sources(PUMP), AnswerSettings())
    assert "".join(sentence.lead + sentence.text for sentence in found) == "One thing.\n\n- Another thing. Third."


def test_the_number_of_a_list_item_is_neither_a_sentence_nor_a_claim():
    found = cited("1. The pump was built in 1931 [1].\n2. It weighs 12 kg [1].", PUMP)
    assert [numbers for _, numbers in found] == [[1], [1]]
    assert cited("1.\nIt weighs 12 kg [1].", "1. It weighs 12 kg.") == [("1.", []), ("It weighs 12 kg.", [1])]


@pytest.mark.parametrize("size", [1, 3, 200])
def test_a_streaming_answer_is_checked_sentence_by_sentence_and_ends_like_a_whole_one(size):
    answer = "The pump was built in 1931 [1]. It weighs 13 kg. [1] The valve is blue【2†x】。阀门是蓝色的。 It is 1.5"
    checker = AnswerChecker(sources(PUMP, VALVE), AnswerSettings())
    steps = [checker.add(answer[n : n + size]) for n in range(0, len(answer), size)]
    whole = check_citations(answer, sources(PUMP, VALVE), AnswerSettings())
    grown = [step for step in steps if step]
    assert [len(step) for step in grown] == ([1, 2, 3, 4] if size < 200 else [4])
    assert all(step == whole[: len(step)] for step in grown)
    assert checker.finish() == whole
    assert [one.claim for one in whole[:2]] == [ClaimState.SUPPORTED, ClaimState.CONTRADICTED]


@pytest.mark.parametrize("text", ["The pump was built in 1931 [1]. ", ".", "pump ", "[1] ", "- a\n"])
def test_splitting_a_long_answer_as_it_streams_takes_time_in_proportion_to_it(text, monkeypatch):
    answer = text * (20_000 // len(text))
    split: list[int] = []

    def spans_of(plain: str) -> list[tuple[int, int]]:
        split.append(len(plain))
        return sentence_spans(plain)

    monkeypatch.setattr(citations, "sentence_spans", spans_of)
    checker = AnswerChecker(sources(PUMP), AnswerSettings())
    for character in answer:
        checker.add(character)
    assert sum(split) < 50 * len(answer)


@pytest.mark.parametrize("mark", ["[1]", " [1]. ", "", "\n\n", "。"])
def test_sentences_that_stream_in_are_those_of_the_whole_answer(mark):
    answer = (
        f"The pump was built in 1931{mark} It weighs 12 kg [1, 2]. e.g. a {mark}. Built by A. B. Smith?【1†x】 The end."
    )
    checker = AnswerChecker(sources(PUMP, VALVE), AnswerSettings())
    streamed = [found for character in answer if (found := checker.add(character))][-1]
    whole = check_citations(answer, sources(PUMP, VALVE), AnswerSettings())
    assert streamed == whole[: len(streamed)]
    assert len(streamed) == len(whole) - 1
