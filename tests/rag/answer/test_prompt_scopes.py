"""Who may tell, by the time to an answer, that somebody has asked about the same: only those who see the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.quote import QuoteReader
from rag.answer.reading import prompt_scopes
from rag.engine import Engine
from rag.manner import DEFAULT_MANNER, Manner
from rag.reader import PromptCacheUsage, PromptScopes
from rag.records import AskOptions, Reading
from rag.settings import Settings
from rag.store.access import collection_owner
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import FIRST, PUMP, SECOND, add, done
from tests.rag.pdfs import text_pdf
from tests.waiting import until

OURS, THEIRS = collection_owner(1), collection_owner(2)


@pytest.mark.parametrize(
    ("holders", "shared"),
    [([""], "documents "), ([OURS], f"documents {OURS}"), (["", OURS], f"documents {OURS}"), ([], "documents ")],
)
def test_sources_are_shared_by_all_who_see_them(holders, shared):
    assert prompt_scopes("ann", holders, DEFAULT_MANNER) == PromptScopes(shared, "person ann")


@pytest.mark.parametrize("holders", [["ann"], ["ann", ""], ["ann", OURS], [OURS, THEIRS]])
def test_what_not_all_see_stays_with_the_person_who_asks(holders):
    assert prompt_scopes("ann", holders, DEFAULT_MANNER) == PromptScopes("person ann", "person ann")
    assert prompt_scopes("", holders, DEFAULT_MANNER) == PromptScopes(None, None)


def test_an_instruction_of_ones_own_is_shared_with_nobody():
    assert prompt_scopes("ann", [""], Manner(english="Be brief.")) == PromptScopes("person ann", "person ann")


def test_a_question_of_somebody_unknown_is_kept_for_nobody():
    assert prompt_scopes("", [""], DEFAULT_MANNER) == PromptScopes("documents ", None)


class CachingReader(ScriptedReader):
    """Notes what it was told to forget."""

    forgotten: tuple[str, ...] = ()
    prompt_cache_usage = PromptCacheUsage(0, 0, 0, 0)

    def forget_document(self, document_id: str) -> None:
        self.forgotten += (document_id,)


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("pump.pdf", FIRST))
        add(engine, ("own.pdf", text_pdf([PUMP.replace("red", "green")])), owner="ann")
        engine.questions.reader = CachingReader(*[["It was built in 1931 [1]."]] * 4)
        yield engine


def scopes_of(engine, owner, question, documents, person="", options=None):
    list(engine.ask(owner, question, documents, options=options or AskOptions(), person=person))
    return replace(engine.questions.reader.history[-1].scopes, documents=frozenset())


def test_the_scopes_of_a_question_follow_from_its_sources_and_who_asks(engine):
    shared, own = (
        next(one.id for one in engine.documents("ann") if one.name == name) for name in ("pump.pdf", "own.pdf")
    )
    asked = "When was the pump built?"
    assert scopes_of(engine, "ann", asked, [shared]) == PromptScopes("documents ", "person ann")
    assert scopes_of(engine, "ann", asked, [own]) == PromptScopes("person ann", "person ann")
    assert scopes_of(engine, "ann", asked, None) == PromptScopes("person ann", "person ann")
    assert scopes_of(engine, "", asked, [shared], person="browser") == PromptScopes("documents ", "person browser")


def test_a_document_of_a_collection_is_shared_by_its_members(engine):
    number = engine.collections.create("ann", "Contracts")
    engine.collections.grant("ann", number, "bob", editor=False)
    engine.add("ann", "heron.pdf", SECOND, collection=number)
    until(lambda: done(engine, "ann"))
    heron = next(one.id for one in engine.documents("bob") if one.name == "heron.pdf")
    for person in ("ann", "bob"):
        scopes = scopes_of(engine, person, "合同编号是多少？", [heron])
        assert scopes == PromptScopes(f"documents {collection_owner(number)}", f"person {person}")


def test_whole_documents_are_shared_like_passages_of_them(engine):
    shared = next(one.id for one in engine.documents("") if one.name == "pump.pdf")
    events = list(engine.ask("ann", "Summarise the document.", [shared]))
    assert any(isinstance(event, Reading) for event in events)
    scopes = PromptScopes("documents ", "person ann", frozenset([shared]))
    assert engine.questions.reader.history[-1].scopes == scopes


def test_a_model_forgets_what_it_read_when_a_document_is_removed(engine):
    own = next(one.id for one in engine.documents("ann") if one.owner == "ann")
    scopes_of(engine, "ann", "When was the pump built?", None)
    assert own in engine.questions.reader.history[-1].scopes.documents
    engine.remove("ann", own)
    assert engine.questions.reader.forgotten == (own,)
