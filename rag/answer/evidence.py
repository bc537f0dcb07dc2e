"""Sentences that may answer: which of them count and in what order, where they are, and how a model sees them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, zip_longest

from rag.answer.named_things import Kind, NamedThing, things_named
from rag.answer.scales import named_values
from rag.language import mainly_chinese
from rag.reader import ANSWERABLE, Evidence
from rag.records import Citation, ShortAnswer, Source


def prompt_evidence(short: ShortAnswer | None, quoted: Sequence[Evidence]) -> list[Evidence]:
    """The short answer with its labels and formula, then the sentences."""
    if short is None or not short.citations:
        return list(quoted)
    formula = f" = {short.formula}" if short.formula else ""
    labels = f"{' · '.join(short.labels)}: " if short.labels else ""
    text = f"{labels}{', '.join(named_values(short))}{formula}"
    return [Evidence(short.citations[0].number, text, ANSWERABLE), *quoted]


def citation_of(found: Evidence, start: int, end: int, sources: Sequence[Source]) -> Citation:
    """[start, end) of a sentence as a citation of its source."""
    text = next((source.text for source in sources if source.number == found.number), "")
    moved = max(text.find(found.text), 0)
    return Citation(found.number, moved + start, moved + end)


# ---- leave out documents that never mention somebody or something named by the question


Coverage = Callable[[str], Mapping[str, float]]  # of a term: share of each document's passages with it, by id


def of_documents_that_mention(
    question: str, evidence: Sequence[Evidence], sources: Sequence[Source], named: Collection[str], coverage: Coverage
) -> list[Evidence]:
    """The evidence without documents that lack a name in the question, if others have it.

    So the head of another company is not taken for the one asked about. `named`: documents that the question names, by
    id. A name is different in another script, so such documents stay; and all stay if nothing would be left.
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


def named_first(evidence: Sequence[Evidence], sources: Sequence[Source], named: Collection[str]) -> list[Evidence]:
    """The evidence of documents that the question names, by id, best first, before that of others."""
    numbers = {source.number for source in sources if source.document_id in named}
    return sorted(evidence, key=lambda one: one.number not in numbers)


# ---- documents that a question compares take turns


def take_turns(
    evidence: Sequence[Evidence], sources: Sequence[Source], sides: Sequence[Collection[str]]
) -> list[Evidence]:
    """The evidence for each side of a comparison in turn, best first, then that from other documents.

    `sides`: the ids of the documents of each side.
    """
    documents = {source.number: source.document_id for source in sources}
    columns: list[list[Evidence]] = [[] for _ in (*sides, None)]
    for found in evidence:
        document = documents.get(found.number, "")
        columns[next((n for n, side in enumerate(sides) if document in side), -1)].append(found)
    turns = chain.from_iterable(zip_longest(*columns[:-1]))
    return [*(found for found in turns if found is not None), *columns[-1]]
