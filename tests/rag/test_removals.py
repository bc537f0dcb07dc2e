"""Removals that can be undone for a while, by themselves and in the engine."""

import threading

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import StoreError
from rag.removals import Removals
from rag.settings import Settings
from tests.fakes import BegunInMemory, ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add
from tests.waiting import until


@pytest.fixture
def gone():
    return []


def removals(gone, seconds=60.0):
    return Removals(lambda *key: gone.append(key), lambda: None, BegunInMemory(), seconds=seconds)


def test_a_document_is_removed_when_the_time_is_over(gone):
    late = removals(gone, seconds=0.01)
    late.begin("ann", "a")
    until(lambda: gone == [("ann", "a")])
    until(lambda: not late.pending("ann"))


def test_undo_keeps_all_documents_of_this_owner_and_no_others(gone):
    late = removals(gone)
    for owner, document in (("ann", "a"), ("ann", "b"), ("bob", "c")):
        late.begin(owner, document)
    assert late.pending("ann") == {"a", "b"}
    late.undo("ann")
    assert (late.pending("ann"), late.pending("bob")) == (frozenset(), {"c"})
    late.close()
    assert gone == [("bob", "c")]


def test_a_removal_that_has_begun_cannot_be_undone_and_happens_once(gone):
    began, go_on = threading.Event(), threading.Event()

    def remove(*key):
        began.set()
        go_on.wait(5)
        gone.append(key)

    late = Removals(remove, lambda: None, BegunInMemory(), seconds=0.0)
    late.begin("ann", "a")
    assert began.wait(5)
    late.undo("ann")
    late.finish("ann", "a")
    go_on.set()
    until(lambda: gone == [("ann", "a")])


def test_a_removal_that_fails_shows_the_document_again():
    def refuse(*key):
        raise StoreError("The disk is full.")

    late = Removals(refuse, lambda: None, BegunInMemory())
    late.begin("ann", "a")
    late.close()
    assert late.pending("ann") == frozenset()


@pytest.fixture
def engine(make):
    engine = make()
    add(engine, ("one.pdf", FIRST), ("two.pdf", SECOND))
    return engine


def test_a_document_about_to_be_removed_is_in_no_list_and_no_answer_until_it_is_kept(engine):
    one, two = sorted(engine.documents(""), key=lambda known: known.name)
    engine.removals.begin("", one.id)
    assert [known.id for known in engine.documents("")] == [two.id]
    for chosen in (None, [one.id, two.id]):
        assert {source.document_id for source in engine.search("", "red pump", chosen)} == {two.id}
    engine.removals.undo("")
    assert {known.id for known in engine.documents("")} == {one.id, two.id}
    assert engine.search("", "red pump")[0].document_id == one.id


def test_its_file_can_be_added_again_at_once(engine):
    one = next(known for known in engine.documents("") if known.name == "one.pdf")
    engine.removals.begin("", one.id)
    add(engine, ("again.pdf", FIRST))
    assert {known.name for known in engine.documents("")} == {"again.pdf", "two.pdf"}


def test_the_end_of_the_program_ends_the_wait(tmp_path):
    def opened():
        return Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader())

    with opened() as engine:
        engine.wait()
        add(engine, ("one.pdf", FIRST), ("two.pdf", SECOND))
        engine.removals.begin("", engine.documents("")[0].id)
    with opened() as engine:
        assert len(engine.documents("")) == 1
