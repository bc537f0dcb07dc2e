"""Leaves out what documents say that never mention anybody, or anything, that a question names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from rag.answer.named_things import Kind, NamedThing, things_named
from rag.language import mainly_chinese
from rag.reader import Evidence
from rag.records import Source

Coverage = Callable[[str], Mapping[str, float]]  # of a term: share of each document's passages with it, by id


def of_documents_that_mention(
    question: str, evidence: Sequence[Evidence], sources: Sequence[Source], named: Collection[str], coverage: Coverage
) -> list[Evidence]:
    """The evidence without that of documents which have no name of the question, where others have one.

    So the head of another company is not the one asked for. `named`: documents that the question names, by id. In
    another script a name is called otherwise: such documents stay, and all where nothing else is left.
    """
    names = [thing for thing in things_named(question) if thing.kind is Kind.NAME and thing.certain]
    mentioning = set(named).union(*(_documents_with(name, coverage) for name in names))
    if not names or not mentioning:
        return list(evidence)
    scripts = {name.chinese for name in names}
    kept = {
        source.number
        for source in sources
        if source.document_id in mentioning or mainly_chinese(source.text) not in scripts
    }
    return [found for found in evidence if found.number in kept] or list(evidence)


def _documents_with(name: NamedThing, coverage: Coverage) -> set[str]:
    """The documents that have all terms of a name."""
    holding = [set(coverage(term)) for term in name.terms]
    return set.intersection(*holding) if holding else set()
