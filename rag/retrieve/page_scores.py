"""Page rescoring: scores the pages of the best hits by what they are, and by the rows of their tables.

A question about a figure wants the page whose table has a row with that name and a column for that period, and prefers
the primary statement to pages that discuss it; a question about reasons wants text. `docs/retrieval.md` has the
measured effect of each weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from rag.index.tokenize import terms
from rag.records import Signal
from rag.retrieve.boilerplate import asks_for_boilerplate
from rag.retrieve.expand import ExpandedQuery
from rag.retrieve.hybrid import Hit, ranked
from rag.retrieve.page_facts import PageFacts
from rag.retrieve.pages import PageKey
from rag.retrieve.table_match import Terms, item_match, question_match, similarity, wanted_by
from rag.settings import PageSettings
from rag.store.rows import StoredPassage

_ASKS_FOR_REASON = re.compile(
    r"^\W*(?:and |so )?why\b|\b(?:what|which .{1,40}) (?:drove|drives|is driving|caused|causes|led|explains)\b"
    r"|\breasons? (?:for|why|behind)\b|为什么|为何|原因|导致",
    re.IGNORECASE,
)


def score_pages(
    query: ExpandedQuery,
    hits: Sequence[Hit],
    stored: Mapping[int, StoredPassage],
    facts: Callable[[PageKey], PageFacts],
    idf: Callable[[str], float],
    settings: PageSettings,
) -> list[Hit]:
    """The hits, best first, with their page's score added for those on the first `settings.pages` pages.

    `stored`: all hits, by passage id. `facts`: of a page. `idf`: inverse document frequency of a term.
    """
    keys = [page_of(stored[hit.passage_id]) for hit in hits]
    names = {page_of(row): row.document for row in stored.values()}
    first = list(dict.fromkeys(keys))[: settings.pages]
    added = {key: _page_score(query, names[key], facts(key), idf, settings) for key in first}
    places = {key: n for n, key in enumerate(sorted(added, key=lambda key: -added[key]), 1)}
    return ranked(
        Hit(hit.passage_id, hit.score + added[key], (*hit.signals, Signal("page", added[key], places[key])))
        if added.get(key)
        else hit
        for hit, key in zip(hits, keys, strict=True)
    )


def page_of(row: StoredPassage) -> PageKey:
    """The page that a passage starts on."""
    return row.owner, row.document_id, row.passage.first_page


def _page_score(
    query: ExpandedQuery, document: str, facts: PageFacts, idf: Callable[[str], float], settings: PageSettings
) -> float:
    """What is added to the scores of the hits on a page; negative for a page that is unlikely to answer."""
    question = query.texts[0]
    score = 0.0
    if facts.boilerplate and not asks_for_boilerplate(question):
        score -= settings.boilerplate_penalty
    score += settings.heading_weight * _heading_match(query.headings, facts.headings, idf)
    if _ASKS_FOR_REASON.search(question):
        return score - settings.reason_penalty * max(facts.statements.values(), default=0.0)
    score += settings.statement_weight * max(
        (sure for statement, sure in facts.statements.items() if statement in query.statements), default=0.0
    )
    if facts.rows:
        wanted = wanted_by(query, document)
        score += settings.item_weight * item_match(wanted, facts.rows, idf)
        score += settings.row_weight * question_match(wanted, facts.rows, idf)
    return score


def _heading_match(wanted: Sequence[str], headings: Sequence[Terms], idf: Callable[[str], float]) -> float:
    """Similarity of the closest pair of a wanted heading and one on the page, 0..1."""
    names = [frozenset(terms(name)) for name in wanted]
    return max((similarity(heading, names, idf) for heading in headings), default=0.0) if names else 0.0
