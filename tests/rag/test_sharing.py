"""Collections: who sees, finds, changes and loses what is in them."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import AlreadyAdded, CollectionRefused, FileRefused, LimitExceeded, QuestionRefused
from rag.records import JobState
from rag.settings import Settings
from rag.store.access import collection_owner
from rag.store.database import Store
from rag.upkeep.check import check
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND, add
from tests.rag.pdfs import encrypted, text_pdf
from tests.waiting import until

QUESTION = "When was the red pump built?"


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        opened.wait()
        yield opened


@pytest.fixture
def contracts(engine):
    """A collection that ann made, with bob as a reader and cleo as an editor."""
    number = engine.collections.create("ann", "Contracts")
    engine.collections.grant("ann", number, "bob", editor=False)
    engine.collections.grant("ann", number, "cleo", editor=True)
    return number


def put(engine, person, name, data, number):
    engine.add(person, name, data, collection=number)
    until(lambda: not [job for job in engine.jobs(person) if job.state is not JobState.FAILED])


def names(engine, person):
    return [document.name for document in engine.documents(person)]


def named(engine, person, name):
    return next(document for document in engine.documents(person) if document.name == name)


def found(engine, person, question=QUESTION):
    try:
        return {source.document for source in engine.search(person, question)}
    except QuestionRefused:
        return set()


def test_those_it_is_granted_to_find_and_read_what_is_in_it_and_nobody_else(engine, contracts):
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    (document,) = engine.documents("ann")
    for person in ("ann", "bob", "cleo"):
        assert names(engine, person) == ["pump.pdf"]
        assert found(engine, person) == {"pump.pdf"}
        assert engine.pages.read(person, document.id, 0, 0)
        assert engine.details(person, document.id)
    for person in ("eve", "", collection_owner(contracts + 1)):
        assert names(engine, person) == []
        assert found(engine, person) == set()
        assert engine.details(person, document.id) is None
        with pytest.raises(FileRefused):
            engine.pages.read(person, document.id, 0, 0)
        with pytest.raises(FileRefused):
            engine.pages.picture(person, document.id, 0, 100)


def test_revoking_takes_effect_at_once_and_so_does_granting_again(engine, contracts):
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    source = engine.search("bob", QUESTION)[0]
    engine.annotations.add_tag("bob", [source.document_id], "seen")
    engine.collections.revoke("ann", contracts, "bob")
    assert names(engine, "bob") == []
    assert found(engine, "bob") == set()
    assert engine.collections.of("bob") == ()
    with pytest.raises(FileRefused):
        engine.view("bob", source)
    engine.collections.grant("ann", contracts, "bob", editor=False)
    assert found(engine, "bob") == {"pump.pdf"}


def test_a_reader_of_a_collection_changes_nothing_in_it(engine, contracts):
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    (document,) = engine.documents("bob")
    with pytest.raises(CollectionRefused):
        engine.add("bob", "more.pdf", SECOND, collection=contracts)
    with pytest.raises(CollectionRefused):
        engine.sharing.move("bob", document.id, 0)
    for change in (
        lambda: engine.collections.grant("bob", contracts, "eve", editor=False),
        lambda: engine.collections.revoke("bob", contracts, "cleo"),
        lambda: engine.collections.rename("bob", contracts, "Mine"),
        lambda: engine.collections.delete("bob", contracts),
    ):
        with pytest.raises(CollectionRefused):
            change()
    engine.removals.begin("bob", document.id)
    engine.add("bob", "new.pdf", SECOND, replaces=document.id)
    until(lambda: not engine.jobs("bob"))
    assert sorted(names(engine, "ann")) == ["pump.pdf"]
    assert sorted(names(engine, "bob")) == ["new.pdf", "pump.pdf"]


def test_what_is_not_granted_is_as_if_it_did_not_exist(engine, contracts):
    def refusal(number):
        with pytest.raises(CollectionRefused) as refused:
            engine.add("eve", "x.pdf", SECOND, collection=number)
        with pytest.raises(CollectionRefused) as unmanaged:
            engine.collections.grant("eve", number, "eve", editor=True)
        return str(refused.value), str(unmanaged.value)

    assert refusal(contracts) == refusal(999) == refusal(-1)
    assert engine.collections.of("eve") == ()
    assert [one.number for one in engine.collections.of("eve", administrator=True)] == [contracts]
    engine.collections.create("eve", "Contracts")  # nor does a name that others gave


def test_an_editor_replaces_and_removes_what_another_added_and_only_they_undo_that(engine, contracts):
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    engine.add(
        "cleo", "pump 2.pdf", text_pdf(["The red pump was built in 1932."]), replaces=engine.documents("ann")[0].id
    )
    until(lambda: not engine.jobs("ann"))
    assert names(engine, "bob") == ["pump 2.pdf"]
    (document,) = engine.documents("cleo")
    engine.removals.begin("cleo", document.id)
    assert names(engine, "ann") == names(engine, "bob") == []
    engine.removals.undo("ann")
    assert names(engine, "bob") == []
    assert engine.removals.pending("cleo") == {document.id}
    engine.removals.undo("cleo")
    assert names(engine, "bob") == ["pump 2.pdf"]


def test_a_document_that_moves_is_found_where_it_is_and_nothing_is_left_where_it_was(engine, contracts):
    add(engine, ("pump.pdf", FIRST), ("heron.pdf", SECOND), owner="ann")
    pump = named(engine, "ann", "pump.pdf")
    before = [(one.document, one.text, one.score) for one in engine.search("ann", QUESTION)]
    engine.sharing.move("ann", pump.id, contracts)
    assert names(engine, "bob") == ["pump.pdf"]
    assert found(engine, "bob") == {"pump.pdf"}
    assert sorted(names(engine, "ann")) == ["heron.pdf", "pump.pdf"]
    # Ann's library is the same as before, so are her results.
    assert [(one.document, one.text, one.score) for one in engine.search("ann", QUESTION)] == before
    engine.sharing.move("cleo", pump.id, 0)
    assert names(engine, "bob") == []
    assert names(engine, "ann") == ["heron.pdf"]
    assert found(engine, "cleo") == {"pump.pdf"}


def test_search_after_moves_equals_that_after_a_restart(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("pump.pdf", FIRST), ("heron.pdf", SECOND), owner="ann")
        number = engine.collections.create("ann", "Contracts")
        engine.sharing.move("ann", named(engine, "ann", "pump.pdf").id, number)
        engine.collections.grant("ann", number, "bob", editor=False)
        moved = {person: engine.search(person, QUESTION) for person in ("ann", "bob")}
    with Store(settings.database) as store:
        assert store.texts_without_vector(1) == {}
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        engine.wait()
        assert {person: engine.search(person, QUESTION) for person in ("ann", "bob")} == moved
    assert "Everything is whole" in str(check(settings))


def test_a_protected_document_can_be_seen_after_it_moved(engine, contracts):
    engine.add("ann", "secret.pdf", encrypted(FIRST, "sesame"))
    until(lambda: engine.jobs("ann") and engine.jobs("ann")[0].state is JobState.LOCKED)
    engine.unlock("ann", engine.jobs("ann")[0].id, "sesame")
    until(lambda: not engine.jobs("ann"))
    (document,) = engine.documents("ann")
    engine.sharing.move("ann", document.id, contracts)
    assert engine.pages.picture("bob", document.id, 0, 100).png
    copies = list((engine.settings.files_dir).glob("*.open"))
    assert len(copies) == 1
    engine.remove(collection_owner(contracts), document.id)
    assert list(engine.settings.files_dir.iterdir()) == []


def test_a_file_that_is_in_the_collection_already_stays_where_it_was(engine, contracts):
    put(engine, "cleo", "pump.pdf", FIRST, contracts)
    add(engine, ("mine.pdf", FIRST), owner="dora")
    engine.collections.grant("ann", contracts, "dora", editor=True)
    assert names(engine, "dora") == ["mine.pdf"]  # her own comes first
    with pytest.raises(AlreadyAdded):
        engine.sharing.move("dora", engine.documents("dora")[0].id, contracts)
    assert names(engine, "ann") == ["pump.pdf"]
    assert names(engine, "dora") == ["mine.pdf"]


def test_what_is_in_a_collection_counts_for_whoever_made_it(tmp_path):
    base = Settings(data_dir=tmp_path / "data")
    settings = replace(base, limits=replace(base.limits, owner_bytes=max(len(FIRST), len(SECOND)) + 10))
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        engine.wait()
        number = engine.collections.create("ann", "Contracts")
        engine.collections.grant("ann", number, "cleo", editor=True)
        put(engine, "cleo", "pump.pdf", FIRST, number)
        add(engine, ("heron.pdf", SECOND), owner="cleo")
        with pytest.raises(LimitExceeded, match="the person who made this collection"):
            engine.add("cleo", "more.pdf", text_pdf(["More."]), collection=number)
        with pytest.raises(LimitExceeded, match="the person who made this collection"):
            engine.sharing.move("cleo", named(engine, "cleo", "heron.pdf").id, number)
        with pytest.raises(LimitExceeded, match="your documents already take"):
            engine.add("ann", "more.pdf", text_pdf(["More."]))


def test_an_editor_is_always_left_and_only_an_empty_collection_is_deleted(engine, contracts):
    engine.collections.grant("ann", contracts, "cleo", editor=False)
    with pytest.raises(CollectionRefused):
        engine.collections.revoke("ann", contracts, "ann")
    with pytest.raises(CollectionRefused):
        engine.collections.grant("ann", contracts, "ann", editor=False)
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    with pytest.raises(CollectionRefused):
        engine.collections.delete("ann", contracts)
    engine.remove(collection_owner(contracts), engine.documents("ann")[0].id)
    engine.collections.delete("ann", contracts)
    assert engine.collections.of("bob") == ()


def test_whoever_was_removed_leaves_nothing_but_what_is_in_collections(engine, contracts):
    add(engine, ("heron.pdf", SECOND), owner="ann")
    put(engine, "ann", "pump.pdf", FIRST, contracts)
    engine.annotations.add_tag("ann", [one.id for one in engine.documents("ann")], "zebra-tag")
    chat = engine.conversations.create("login:ann", "{}")
    engine.sharing.erase("ann", "login:ann", engine.remove)
    assert names(engine, "ann") == []
    assert engine.conversations.get("login:ann", chat) is None
    assert names(engine, "bob") == ["pump.pdf"]
    with sqlite3.connect(engine.settings.database) as sql:
        dump = "\n".join(sql.iterdump())
    assert "'ann'" not in dump
    assert "zebra-tag" not in dump
    assert "苍鹭" not in dump


def test_each_change_is_logged_without_a_name_of_what_is_shared(engine, contracts, caplog):
    caplog.set_level(logging.INFO)
    add(engine, ("canary-file.pdf", FIRST), owner="ann")
    engine.sharing.move("ann", engine.documents("ann")[0].id, contracts)
    engine.collections.rename("ann", contracts, "canary-name")
    engine.collections.grant("ann", contracts, "dora", editor=False)
    engine.collections.revoke("ann", contracts, "bob")
    told = [record.getMessage() for record in caplog.records]
    for words in ("moved into collection", "renamed, by 'ann'", "granted to 'dora' as reader", "taken from 'bob'"):
        assert any(words in line for line in told), words
    assert "canary" not in "\n".join(told)
