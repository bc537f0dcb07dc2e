from __future__ import annotations

import pytest

from rag.index.tokenize import terms
from rag.retrieve.query import Query
from rag.retrieve.without_name import mentions, without_name


@pytest.mark.parametrize(
    ("question", "name", "without"),
    [
        ("What share of Boeing's employees are in a union?", "Boeing", "What share of employees are in a union?"),
        ("How much did The Boeing Company lose?", "Boeing", "How much did lose?"),
        ("how many people work at american express", "American Express", "how many people work"),
        ("Who was the CEO of Boeing in 2019?", "Boeing", "Who was the CEO in 2019?"),
        ("Who is the CEO of Boeing?", "Boeing", "Who is the CEO ?"),
        ("What is the share of Boeing workers in a union?", "Boeing", "What is the share of workers in a union?"),
        ("Does AT&T Inc. pay a dividend?", "AT&T", "Does pay a dividend?"),
        ("What does Johnson & Johnson sell?", "Johnson", "What does sell?"),
        ("Where are Coca-Cola’s plants?", "Coca Cola", "Where are plants?"),
        ("Boeing的员工有多少？", "Boeing", "员工有多少？"),
        ("Who runs 3M?", "3M", "Who runs ?"),
        ("What do nursing homes pay?", "Nurse", "What do nursing homes pay?"),
    ],
)
def test_a_name_goes_with_its_article_its_form_and_its_possessive(question, name, without):
    assert without_name(question, terms(name)) == without


def test_words_of_a_name_that_stand_together_are_one_mention():
    assert mentions("Best Buy and Buy Best", terms("Best Buy")) == [(0, 8), (13, 21)]


def test_each_text_is_searched_without_the_name_but_figures_of_accounts_with_it():
    parts = ("Where are Nike's shoes made?", "What is the quick ratio of Nike?")
    query = Query("…", "Where are Nike's shoes made, and what is its gross margin?", parts, frozenset({"nike"}))
    assert query.searched == (query.completed, "Where are shoes made?", parts[1])


def test_a_question_that_says_nothing_without_the_name_keeps_it():
    assert Query("…", "Who runs Nike?", (), frozenset({"nike"})).searched == ("Who runs Nike?",)
