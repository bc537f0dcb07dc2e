"""Settings recorded with a run: complete, comparable across versions."""

from __future__ import annotations

import pytest

from rag.evaluation.recorded import current_names, recorded_settings
from rag.settings import Limits, PageSettings, RetrievalSettings, RoutingSettings, Settings, flatten

# As the version before recorded its defaults.
EARLIER = {
    "searching.candidates": 100, "searching.sources": 8, "searching.favoured": 3, "searching.looked_at_twice": 100,
    "searching.exact_up_to": 200_000, "searching.reranked": 50, "searching.vector_weight": 0.6,
    "searching.usual_share": 0.25, "searching.document_weight": 0.2, "searching.terms_weight": 0.2,
    "searching.pairs_weight": 0.2, "searching.line_items": True, "searching.pages": True,
    "searching.source_characters": 4_000, "searching.whole_pages": 3, "searching.parts": True, "searching.apart": True,
}  # fmt: skip


# Of today, without the steps that it did not have.
WITHOUT_NEW_STEPS = Settings(
    retrieval=RetrievalSettings(pages=PageSettings(pages=0), routing=RoutingSettings(min_own_voice=2.0))
)


def test_a_run_of_the_version_before_with_its_defaults_differs_only_in_the_steps_that_are_new():
    assert current_names(EARLIER) == recorded_settings(WITHOUT_NEW_STEPS)


def test_a_run_under_todays_names_from_before_a_step_leaves_it_out():
    recorded = recorded_settings(WITHOUT_NEW_STEPS)
    before = {
        name: value
        for name, value in recorded.items()
        if not name.startswith(("retrieval.pages.", "retrieval.routing.min_own"))
    }
    assert current_names(before) == recorded


@pytest.mark.parametrize("name", EARLIER)
def test_every_earlier_name_is_read_under_todays(name):
    found = current_names({**EARLIER, name: "other"})
    assert [key for key, value in found.items() if value == "other"] in [[key] for key in flatten(Settings())]


def test_todays_names_are_read_as_they_are():
    recorded = recorded_settings(Settings())
    assert current_names(recorded) == recorded


def test_retrieval_settings_are_recorded_whole_and_others_where_they_differ(tmp_path):
    routing = RoutingSettings(routed_documents=1)
    settings = Settings(tmp_path, limits=Limits(pages=5), retrieval=RetrievalSettings(routing=routing))
    found = recorded_settings(settings)
    assert found["retrieval.routing.routed_documents"] == 1
    assert found["limits.pages"] == 5
    assert found.keys() - recorded_settings(Settings()).keys() == {"limits.pages"}
