"""What people prefer is stored for each of them, and what cannot be read does no harm."""

import threading
import time
from dataclasses import replace

import pytest

from rag.manner import AnswerLanguage, AnswerLength, Manner
from rag.preferences import DEFAULT_PREFERENCES, Preferences, Strictness
from rag.store.connection import Connection
from rag.store.preferences import StoredPreferences

WANTED = Preferences(3, Strictness.STRICT, 0.5, Manner(AnswerLanguage.CHINESE, AnswerLength.LONG, "<|user|>", "押韵"))


@pytest.fixture
def store(tmp_path):
    opened = Connection(tmp_path / "library.sqlite")
    yield opened
    opened.close()


def test_what_one_owner_prefers_is_kept_and_is_nobody_elses(store, tmp_path):
    StoredPreferences(store).change("login:ann", lambda before: WANTED)
    assert StoredPreferences(store).of("login:ann") == WANTED
    assert StoredPreferences(store).of("login:bob") == DEFAULT_PREFERENCES


def test_going_back_to_the_defaults_leaves_nothing_behind(store):
    stored = StoredPreferences(store)
    stored.change("login:ann", lambda before: WANTED)
    stored.change("login:ann", lambda before: DEFAULT_PREFERENCES)
    assert store.rows("SELECT * FROM preferences") == []
    assert stored.of("login:ann") == DEFAULT_PREFERENCES


def test_changes_at_the_same_time_all_count(store):
    stored = StoredPreferences(store)

    def add_one(before):
        time.sleep(0.005)
        return replace(before, sources=(before.sources or 0) + 1)

    threads = [threading.Thread(target=stored.change, args=("login:ann", add_one)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored.of("login:ann").sources == 8


@pytest.mark.parametrize("data", ["", "{", '{"strictness": "lenient"}', "[]"])
def test_what_another_version_wrote_gives_the_defaults(store, data):
    with store.transaction() as sql:
        sql.execute("INSERT INTO preferences VALUES ('login:ann', ?)", (data,))
    assert StoredPreferences(store).of("login:ann") == DEFAULT_PREFERENCES
