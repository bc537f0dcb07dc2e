"""Stored conversations: whose they are, what finds them, what deleting leaves, and the limits."""

from __future__ import annotations

import json

import pytest

from rag.errors import StoreFull
from rag.store import conversations as module
from rag.store.connection import Connection
from rag.store.conversations import Conversations, StoredExchange
from tests.waiting import until


@pytest.fixture
def database(tmp_path):
    return tmp_path / "library.sqlite"


@pytest.fixture
def store(database):
    with Connection(database) as store:
        yield store


@pytest.fixture
def kept(store):
    kept = Conversations(store)
    yield kept
    kept.close()


def asked(kept, owner, *questions, title="", data="{}"):
    """A conversation in which these questions were asked."""
    conversation = kept.create(owner, data)
    kept.rename(owner, conversation, title)
    for number, question in enumerate(questions, 1):
        kept.put(owner, conversation, StoredExchange(number, json.dumps({"q": question})), question)
    return conversation


def exchanges(kept, owner, conversation):
    return [exchange.data for exchange in kept.exchanges(owner, conversation, range(1, 100))]


def numbers(kept, owner, conversation, wanted=range(100)):
    return [exchange.number for exchange in kept.exchanges(owner, conversation, wanted)]


def test_what_was_stored_is_there_after_opening_again(database):
    with Connection(database) as store:
        kept = Conversations(store)
        conversation = asked(kept, "ann", "one", "two", title="First", data='{"draft": "x"}')
        kept.close()
    with Connection(database) as store:
        kept = Conversations(store)
        found = kept.get("ann", conversation)
        assert (found.title, found.data) == ("First", '{"draft": "x"}')
        assert [json.loads(data)["q"] for data in exchanges(kept, "ann", conversation)] == ["one", "two"]
        kept.close()


def test_an_id_gives_its_owner_alone_anything(kept):
    conversation = asked(kept, "ann", "one", title="First")
    assert kept.get("bob", conversation) is None
    assert kept.listed("bob") == []
    assert exchanges(kept, "bob", conversation) == []
    assert kept.newest_exchange("bob", conversation) == 0
    kept.save("bob", conversation, "changed")
    kept.rename("bob", conversation, "changed")
    kept.delete("bob", conversation)
    kept.put("bob", conversation, StoredExchange(1, "changed"), "changed")
    assert kept.restore("bob", conversation) is False
    assert kept.get("ann", conversation).title == "First"
    assert kept.get("ann", conversation).data == "{}"
    assert exchanges(kept, "ann", conversation) == ['{"q": "one"}']


def test_ids_are_long_and_never_the_same(kept):
    ids = {kept.create("ann", "{}") for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) >= 22 for one in ids)


def test_the_list_has_the_newest_question_first_and_nothing_that_was_never_asked(kept):
    first, second = asked(kept, "ann", "a"), asked(kept, "ann", "b")
    asked(kept, "ann")
    assert [one.id for one in kept.listed("ann")] == [second, first]
    kept.put("ann", first, StoredExchange(2, "{}"), "again")
    assert [one.id for one in kept.listed("ann")] == [first, second]
    assert [one.id for one in kept.listed("ann", limit=1)] == [first]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("bridge", ["b"]),
        ("BRIDGE", ["b"]),
        ("reservoir", ["a"]),
        ("大坝", ["c"]),
        ("100%", ["d"]),
        ("0_", []),
        ("%", ["d"]),
    ]
    + [("\\", []), ("zebra", []), ("", ["a", "b", "c", "d"])],
)
def test_titles_and_questions_are_searched_as_they_are_written(kept, search, found):
    asked(kept, "ann", "when?", title="The reservoir")
    asked(kept, "ann", "who built the bridge?", title="Harbour")
    asked(kept, "ann", "大坝有多高？", title="水库")
    asked(kept, "ann", "is it 100% sure?", title="Doubt")
    names = {"The reservoir": "a", "Harbour": "b", "水库": "c", "Doubt": "d"}
    assert sorted(names[one.title] for one in kept.listed("ann", search)) == found


def test_exchanges_are_given_by_number(kept):
    conversation = asked(kept, "ann", *map(str, range(7)))
    assert numbers(kept, "ann", conversation, [7, 2, 9]) == [2, 7]
    assert kept.newest_exchange("ann", conversation) == 7
    assert kept.newest_exchange("ann", kept.create("ann", "{}")) == 0


def test_a_later_state_of_an_exchange_takes_the_place_of_the_earlier_one(kept):
    conversation = asked(kept, "ann", "one")
    kept.put("ann", conversation, StoredExchange(1, "done"), "one")
    assert exchanges(kept, "ann", conversation) == ["done"]


def test_a_deleted_conversation_is_gone_at_once_and_can_be_restored(kept):
    conversation = asked(kept, "ann", "one")
    kept.delete("ann", conversation)
    assert kept.get("ann", conversation) is None
    assert kept.listed("ann") == exchanges(kept, "ann", conversation) == []
    assert kept.restore("ann", conversation)
    assert numbers(kept, "ann", conversation) == [1]
    assert not kept.restore("ann", conversation)


def test_a_deleted_conversation_is_erased_from_the_disk(database, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.0)
    with Connection(database) as store:
        kept = Conversations(store, undo_seconds=0.05)
        conversation = asked(kept, "ann", "the canary sings", title="canary")
        store.checkpoint()
        assert b"canary" in database.read_bytes()
        kept.delete("ann", conversation)
        until(lambda: b"canary" not in database.read_bytes())
        assert not kept.restore("ann", conversation)
        kept.close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
def test_what_was_deleted_before_the_program_ended_is_erased(database, closed):
    with Connection(database) as store:
        kept = Conversations(store, undo_seconds=3600)
        conversation = asked(kept, "ann", "canary")
        kept.delete("ann", conversation)
        if closed:
            kept.close()
            assert store.rows("SELECT * FROM exchanges") == []
    with Connection(database) as store:
        kept = Conversations(store)
        assert store.rows("SELECT * FROM exchanges") == store.rows("SELECT * FROM conversations") == []
        kept.close()


def test_an_answer_that_ends_after_its_conversation_was_erased_stores_nothing(kept, store):
    conversation = asked(kept, "ann", "one")
    kept.delete("ann", conversation)
    kept.close()
    kept.put("ann", conversation, StoredExchange(1, "late"), "one")
    assert store.rows("SELECT * FROM exchanges") == []


def test_beyond_the_limits_one_is_told_and_nobody_else_is_concerned(kept, monkeypatch):
    monkeypatch.setattr(module, "MAX_CONVERSATIONS", 2)
    first, _ = asked(kept, "ann", "one"), asked(kept, "ann", "two")
    with pytest.raises(StoreFull, match="2 conversations are stored"):
        asked(kept, "ann", "three")
    kept.put("ann", first, StoredExchange(2, "{}"), "a further question")
    asked(kept, "bob", "one")
    monkeypatch.setattr(module, "MAX_BYTES", 1_000_000)
    with pytest.raises(StoreFull, match="take 1 MB"):
        kept.put("ann", first, StoredExchange(3, "x" * 1_000_000), "long")
    assert numbers(kept, "ann", first) == [1, 2]


def test_only_the_newest_conversations_without_a_question_are_kept(kept):
    talked = asked(kept, "ann", "one")
    unasked = [kept.create("ann", "{}") for _ in range(module.MAX_UNASKED + 3)]
    bobs = kept.create("bob", "{}")
    there = [kept.get("ann", one) is not None for one in unasked]
    assert there == [False] * 3 + [True] * module.MAX_UNASKED
    assert kept.get("ann", talked)
    assert kept.get("bob", bobs)


def test_the_version_grows_with_what_the_list_shows_for_its_owner_alone(kept):
    before = kept.version("ann"), kept.version("bob")
    conversation = asked(kept, "ann", "one")
    assert kept.version("ann") > before[0]
    once = kept.version("ann")
    kept.put("ann", conversation, StoredExchange(1, "done"), "one")
    assert kept.version("ann") == once, "an answer does not change the list"
    kept.delete("ann", conversation)
    assert kept.version("ann") > once
    assert kept.version("bob") == before[1]
