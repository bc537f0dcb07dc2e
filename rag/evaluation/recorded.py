"""The settings recorded with a run, by dotted name.

Runs recorded under earlier names are read under the current ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rag.settings import PageSettings, Settings, flatten

# Earlier names of settings that have been renamed.
_RENAMED: Final = {
    "searching.favoured": "retrieval.routing.routed_documents",
    "searching.looked_at_twice": "retrieval.overlap_candidates",
    "searching.exact_up_to": "retrieval.exact_index_size",
    "searching.reranked": "retrieval.rerank_candidates",
    "searching.usual_share": "retrieval.query.mean_query_share",
    "searching.document_weight": "retrieval.routing.routing_weight",
    "searching.terms_weight": "retrieval.term_overlap_weight",
    "searching.pairs_weight": "retrieval.bigram_overlap_weight",
    "searching.line_items": "retrieval.query.line_items",
    "searching.pages": "retrieval.merge_pages",
    "searching.whole_pages": "retrieval.full_page_sources",
    "searching.parts": "retrieval.query.split_questions",
    "searching.apart": "retrieval.routing.compare_documents",
}
# Settings that no longer exist, and that no recorded run depended on.
_REMOVED: Final = frozenset(("retrieval.query.min_question_terms",))
# Settings that were unrecorded constants while the earlier names were in use, with their values then.
_CONSTANTS: Final = {
    "retrieval.reranker_weight": 0.7,
    "retrieval.query.max_parts": 3,
    "retrieval.query.min_part_terms": 2,
    "retrieval.query.max_dependent_han_terms": 6,
    "retrieval.query.instruction_term_weight": 0.3,
    "retrieval.routing.min_term_weight": 0.7,
    "retrieval.routing.coverage_weight": 0.5,
    "retrieval.routing.coverage_smoothing": 0.02,
    "retrieval.routing.coverage_saturation": 5.0,
    "retrieval.routing.min_part_share": 0.25,
    "retrieval.routing.max_compared_documents": 4,
    "retrieval.routing.min_name_strength": 0.4,
    "retrieval.routing.name_rarity_ratio": 1.2,
    "retrieval.routing.min_joined_characters": 5,
    "retrieval.routing.min_name_ratio": 3.0,
    "retrieval.routing.max_name_elsewhere": 0.02,
    "retrieval.bm25.k1": 1.5,
    "retrieval.bm25.b": 0.75,
}
# Settings that switch off steps which earlier runs did not have.
_LEFT_OUT: Final = flatten(PageSettings(pages=0), "retrieval.pages.") | {"retrieval.routing.min_own_voice": 2.0}


def recorded_settings(settings: Settings) -> dict[str, Any]:
    """What is recorded with a run: all retrieval settings, and any other that differs from its default.

    Where the data is, and how pages are drawn, does not affect a run.
    """
    usual = flatten(Settings())
    return {
        name: value
        for name, value in flatten(settings).items()
        if not name.startswith(("data_dir", "rendering.")) and (name.startswith("retrieval.") or value != usual[name])
    }


def current_names(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded settings under their current names, with the constants of the time if they were not recorded.

    Steps that did not exist yet are switched off by their settings.
    """
    if not any(name.startswith("searching.") for name in recorded):
        return _LEFT_OUT | {name: value for name, value in recorded.items() if name not in _REMOVED}
    found = _LEFT_OUT | _CONSTANTS
    for name, value in recorded.items():
        found[_RENAMED.get(name, name.replace("searching.", "retrieval.", 1))] = value
    return found
