"""Evidence for a comparison: the documents that a question compares take turns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest

from rag.reader import Evidence
from rag.records import Source


def compared(sources: Sequence[Source], named: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The documents that a question compares: id -> the terms that name them; empty if it compares none.

    `named`: the documents that the question names. Documents of the same name are one side of a comparison, and a
    document whose terms are among those of another is meant less than that one.
    """
    found = {source.document_id: named[source.document_id] for source in sources if source.document_id in named}
    sides = {terms for terms in found.values() if not any(terms < other for other in found.values())}
    return {one: terms for one, terms in found.items() if terms in sides} if len(sides) > 1 else {}


def take_turns(
    evidence: Sequence[Evidence], sources: Sequence[Source], documents: Mapping[str, frozenset[str]]
) -> list[Evidence]:
    """The evidence of each side in turn, best first, then that of other documents."""
    side_of = {source.number: documents.get(source.document_id, frozenset[str]()) for source in sources}
    sides: dict[frozenset[str], list[Evidence]] = defaultdict(list)
    for found in evidence:
        sides[side_of.get(found.number, frozenset())].append(found)
    others = sides.pop(frozenset(), [])
    turns = chain.from_iterable(zip_longest(*sides.values()))
    return [*(found for found in turns if found is not None), *others]
