"""Short answers from sentences, with the place they are from."""

from __future__ import annotations

import pytest

from rag.answer.phrases.short_phrase import Phrase, PhraseFinder, trim
from rag.answer.phrases.span_model import Span
from rag.reader import Evidence
from rag.records import Source
from rag.settings import PhraseSettings

TEXT = "The bridge opened in 1874.\nThe merger was not approved.\nWe sell:\n• pumps\n• valves"
SOURCES = [Source(1, 1, "d", "a.pdf", 0, 0, "1", (), TEXT, 0, len(TEXT), 1.0)]


def found_in(question: str, evidence: list[Evidence]) -> Phrase | None:
    return PhraseFinder(None, PhraseSettings()).find(question, evidence, SOURCES, lambda term: 1.0)[0]


def test_a_no_comes_with_the_sentence_that_says_it_first() -> None:
    evidence = [Evidence(1, "The bridge opened in 1874.", 1.1), Evidence(1, "The merger was not approved.", 1.0)]
    found = found_in("Was the merger approved?", evidence)
    assert found is not None
    short, quotes = found
    assert short.values == ("No",)
    assert quotes[0].text == "The merger was not approved."
    cited = short.citations[0]
    assert TEXT[cited.start : cited.end] == quotes[0].text


def test_each_item_of_a_list_is_cited_where_it_stands() -> None:
    found = found_in("What do we sell?", [Evidence(1, "We sell:", 1.2)])
    assert found is None  # "what" alone asks for no list
    found = found_in("Which products do we sell?", [Evidence(1, "We sell:", 1.2)])
    assert found is not None
    assert found[0].values == ("pumps", "valves")
    assert [TEXT[one.start : one.end] for one in found[0].citations] == ["pumps", "valves"]
    assert "pumps" in found[1][0].text


def test_without_a_sentence_that_counts_there_is_no_short_answer() -> None:
    assert found_in("Was the merger approved?", [Evidence(1, "The merger was not approved.", 0.4)]) is None
    assert found_in("Was the merger approved?", []) is None


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("It is (about) 5.", (6, 12), "(about)"),
        ("called “Aurora” today", (8, 14), "Aurora"),
        ("in 1874, then", (3, 8), "1874"),
        ("the EU (European Union) is", (4, 22), "EU (European Union)"),
        ("成立于1998年。", (3, 9), "1998年"),
        ("rivals such as MVPDs", (7, 20), "MVPDs"),
    ],
)
def test_a_span_ends_at_words_and_keeps_its_brackets(text: str, span: tuple[int, int], expected: str) -> None:
    start, end = trim(text, *span)
    assert text[start:end] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("growth of our service and", "growth of our service"),
        ("the roof and the", "the roof"),
        ("salt and pepper", "salt and pepper"),
    ],
)
def test_a_span_does_not_end_on_a_joining_word(text: str, expected: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == expected


def span_in(text: str, span: str, question: str, log_probability: float = 0.0, named: str = "") -> Phrase | None:
    """What a model makes of a sentence if it takes a span for the answer."""

    class Model:
        def find(self, question: str, evidence: list[Evidence]) -> Span:
            start = text.index(span)
            return Span(0, start, start + len(span), log_probability, -20.0)

    finder = PhraseFinder(Model(), PhraseSettings())  # type: ignore[arg-type]
    return finder.find(question, [Evidence(1, text, 2.0)], SOURCES, lambda term: 1.0, named)[0]


@pytest.mark.parametrize(("span", "sure"), [("三十日，并支付一个月", False), ("一个月", True)])
def test_a_value_that_goes_on_in_another_clause_is_not_sure(span: str, *, sure: bool) -> None:
    text = "提前退租的，应提前三十日，并支付一个月租金作为违约金。"

    found = span_in(text, span, "提前退租要付多少违约金？")
    assert found is not None
    assert found[0].sure is sure


@pytest.mark.parametrize(("log_probability", "sure"), [(-0.5, True), (-2.5, False)])
def test_a_span_that_the_model_hesitates_about_is_not_sure(log_probability: float, *, sure: bool) -> None:
    found = span_in("The bridge opened in 1874.", "1874", "When was the bridge opened?", log_probability)
    assert found is not None
    assert found[0].sure is sure


def test_the_company_that_a_question_names_is_not_its_answer() -> None:
    text = "The vaccine that Ferrodine developed with Lumetra is sold."
    asked, named = "Who developed the vaccine with ?", "Who developed the vaccine with Ferrodine?"
    assert span_in(text, "Ferrodine", asked) is not None
    assert span_in(text, "Ferrodine", asked, named=named) is None


def test_several_names_are_completed_from_their_enumeration() -> None:
    found = span_in("Makers such as Ferrodine, Lumetra, and Oskara compete.", "Lumetra, and Oskara", "Who competes?")
    assert found is not None
    assert found[0].values == ("Ferrodine", "Lumetra", "Oskara")


def test_whose_office_it_is_is_told_by_the_question_with_its_name() -> None:
    evidence = [Evidence(1, "Maria Oduya is Chief Executive Officer of Ferrodine.", 1.2)]
    finder, asked, named = PhraseFinder(None, PhraseSettings()), "Who is the CEO of ?", "Who is the CEO of Ferrodine?"
    found, _ = finder.find(asked, evidence, SOURCES, lambda term: 1.0, named=named)
    assert found is not None
    assert found[0].values == ("Maria Oduya",)
    assert finder.find(asked, evidence, SOURCES, lambda term: 1.0)[0] is None
