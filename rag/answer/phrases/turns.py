"""Evidence for a comparison: the documents that a question compares take turns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, zip_longest

from rag.reader import Evidence
from rag.records import Source


def take_turns(
    evidence: Sequence[Evidence], sources: Sequence[Source], sides: Sequence[Collection[str]]
) -> list[Evidence]:
    """The evidence of each side of a comparison in turn, best first, then that of other documents.

    `sides`: the ids of the documents of each side.
    """
    documents = {source.number: source.document_id for source in sources}
    columns: list[list[Evidence]] = [[] for _ in (*sides, None)]
    for found in evidence:
        document = documents.get(found.number, "")
        columns[next((n for n, side in enumerate(sides) if document in side), -1)].append(found)
    turns = chain.from_iterable(zip_longest(*columns[:-1]))
    return [*(found for found in turns if found is not None), *columns[-1]]
