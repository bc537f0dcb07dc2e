from types import SimpleNamespace

from rag.index.tokenize import terms
from rag.retrieve.overlap import PassageTerms


def row(number, text, owner="ann"):
    return SimpleNamespace(id=number, owner=owner, document_id="report", passage=SimpleNamespace(searchable=text))


def test_the_terms_of_a_passage_are_kept_until_its_document_is_forgotten():
    kept = PassageTerms()
    assert kept.of(row(1, "Two red pumps, two halls")) == tuple(terms("Two red pumps, two halls"))
    assert kept.of(row(1, "changed")) == tuple(terms("Two red pumps, two halls"))
    kept.of(row(2, "Ben's own", "ben"))
    kept.forget(("ann", "report"))
    assert kept.of(row(1, "changed")) == ("changed",)
    assert kept.of(row(2, "changed", "ben")) == tuple(terms("Ben's own"))


def test_only_the_last_passages_are_kept():
    kept = PassageTerms(most=2)
    for number in (1, 2, 3):
        kept.of(row(number, "first"))
    assert [kept.of(row(number, "second")) for number in (2, 3, 1)] == [("first",), ("first",), ("second",)]
