import pytest

from rag.answer.evidence import prompt_evidence
from rag.reader import Evidence
from rag.records import Citation, ShortAnswer

QUOTED = [Evidence(3, "Sales rose.", 1.2)]


@pytest.mark.parametrize(
    ("values", "scale", "labels", "formula", "text"),
    [
        (("$197", "$201"), "million", ("Revenue", "2022"), "", "Revenue · 2022: $197 million, $201 million"),
        (("7.1%",), "percent", ("Growth",), "(2 − 1) / 1", "Growth: 7.1% = (2 − 1) / 1"),
        (("7.1",), "percent", (), "", "7.1%"),
        (("Anna Keller",), "", (), "", "Anna Keller"),
    ],
)
def test_the_short_answer_comes_first_in_words(values, scale, labels, formula, text):
    first, *rest = prompt_evidence(ShortAnswer(values, scale, labels, formula, (Citation(2, 0, 1),)), QUOTED)
    assert (first.number, first.text) == (2, text)
    assert rest == QUOTED


def test_without_a_short_answer_there_are_only_sentences():
    assert prompt_evidence(None, QUOTED) == QUOTED
