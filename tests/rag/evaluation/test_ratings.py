"""Ratings of answers: each belongs to one owner, the newest of an answer counts, and what is removed is gone."""

import pytest

from rag.errors import QuestionRefused
from rag.evaluation import ratings as module
from rag.evaluation.ratings import MAX_REASON_CHARACTERS, Ratings
from rag.store.connection import Connection


@pytest.fixture
def ratings(tmp_path):
    store = Connection(tmp_path / "library.sqlite")
    yield Ratings(store, changed=lambda: None)
    store.close()


def told(ratings, owner):
    return [(one.question, one.reader, one.helpful, one.reason) for one in ratings.all(owner)]


def test_the_last_rating_of_an_answer_counts_and_another_readers_answer_has_its_own(ratings):
    ratings.rate("ann", "Revenue?", "quotes", True)
    ratings.rate("ann", "Revenue?", "quotes", False, "wrong year")
    ratings.rate("ann", "Revenue?", "GLM", True)
    assert told(ratings, "ann") == [("Revenue?", "quotes", False, "wrong year"), ("Revenue?", "GLM", True, "")]
    assert told(ratings, "bob") == told(ratings, "") == []


def test_a_rating_is_taken_back_or_removed_by_its_owner_only(ratings):
    ratings.rate("ann", "Revenue?", "quotes", True)
    ratings.rate("bob", "Revenue?", "quotes", None)
    ratings.remove("bob", ratings.all("ann")[0].id)
    assert len(told(ratings, "ann")) == 1
    ratings.rate("ann", "Revenue?", "quotes", None)
    assert told(ratings, "ann") == []
    ratings.rate("ann", "Costs?", "quotes", False, "none")
    ratings.remove("ann", ratings.all("ann")[0].id)
    assert told(ratings, "ann") == []


def test_the_oldest_go_when_there_are_too_many(ratings, monkeypatch):
    monkeypatch.setattr(module, "MAX_RATINGS", 3)
    ratings.rate("bob", "his", "quotes", True)
    for number in range(5):
        ratings.rate("ann", f"question {number}", "quotes", True)
    assert [question for question, *_ in told(ratings, "ann")] == ["question 2", "question 3", "question 4"]
    assert len(told(ratings, "bob")) == 1


def test_a_reason_has_a_limit(ratings):
    ratings.rate("ann", "q", "quotes", True, "x" * MAX_REASON_CHARACTERS)
    with pytest.raises(QuestionRefused, match="1,001 characters, the limit is 1,000"):
        ratings.rate("ann", "q", "quotes", True, "x" * (MAX_REASON_CHARACTERS + 1))
