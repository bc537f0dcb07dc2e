"""Pages rescored: statements, boilerplate, rows, and what a question asks for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rag.records import Passage, Signal, WordBoxes
from rag.retrieve.expand import expand_query
from rag.retrieve.hybrid import Hit
from rag.retrieve.page_facts import PageFacts, StoredFacts, facts_of
from rag.retrieve.page_scores import score_pages
from rag.retrieve.statements import Statement
from rag.retrieve.table_match import LabelledRow
from rag.settings import PageSettings, QuerySettings
from tests.rag.pdf.test_tables import page

NOTHING = PageFacts({}, boilerplate=False, rows=())
BALANCE = PageFacts({Statement.BALANCE: 1.0}, boilerplate=False, rows=())
BOILERPLATE = PageFacts({}, boilerplate=True, rows=())
SALES = PageFacts({}, False, (LabelledRow(frozenset(("net", "sale")), frozenset(), frozenset((2022,))),))
SETTINGS = PageSettings()
NO_WORDS = WordBoxes(np.zeros((0, 2), np.int32), np.zeros((0, 4), np.float32))


def order(question, facts, settings=SETTINGS, scores=None):
    """Pages in the order found for a question, each with one passage; by default all score the same."""
    stored = {
        n: SimpleNamespace(owner="", document_id="d", document="report.pdf", passage=Passage("text", 0, 4, n, n))
        for n in range(len(facts))
    }
    hits = [Hit(n, score) for n, score in enumerate(scores or [1.0] * len(facts))]
    query = expand_query(question, QuerySettings())
    found = score_pages(query, hits, stored, lambda key: facts[key[2]], lambda term: 1.0, settings)
    return [hit.passage_id for hit in found]


def test_the_statement_that_a_figure_stands_in_comes_first():
    assert order("What is the quick ratio of 2022?", [NOTHING, BALANCE])[0] == 1
    assert order("What was the capex of 2022?", [NOTHING, BALANCE])[0] == 0
    assert order("流动比率是多少？", [NOTHING, BALANCE])[0] == 1


def test_a_question_about_reasons_wants_text():
    assert order("What drove the increase in inventories in 2022?", [BALANCE, NOTHING])[0] == 1
    assert order("2022年存货增加的原因是什么？", [BALANCE, NOTHING])[0] == 1


def test_boilerplate_comes_last_unless_it_is_asked_for():
    assert order("What were net sales in 2022?", [BOILERPLATE, NOTHING])[0] == 1
    assert order("Who audited the balance sheet?", [BOILERPLATE, NOTHING])[0] == 0


def test_a_row_of_the_name_asked_for_lifts_its_page():
    assert order("What were net sales in 2022?", [NOTHING, SALES])[0] == 1
    assert order("Who is the chairman?", [NOTHING, SALES])[0] == 0


def test_the_page_with_the_section_about_the_subject_comes_first():
    legal = facts_of("Item 3. Legal Proceedings\nWe are not a party to any.", NO_WORDS)
    other = facts_of("We comply with the law on legal proceedings, as every company\ndoes.", NO_WORDS)
    assert order("Does the company report any legal battles?", [other, legal])[0] == 1
    assert order("公司有诉讼吗？", [other, facts_of("第十节 重大诉讼、仲裁事项\n无", NO_WORDS)])[0] == 1


def test_only_the_first_pages_are_rescored_and_without_weights_none():
    assert order("What were net sales in 2022?", [NOTHING, SALES], PageSettings(pages=1))[0] == 0
    off = PageSettings(pages=0)
    assert order("What is the quick ratio of 2022?", [NOTHING, BALANCE, SALES], off) == [0, 1, 2]


def test_a_much_better_page_stays_first():
    assert order("What were net sales in 2022?", [NOTHING, SALES], scores=[3.0, 1.0])[0] == 0


def test_a_hit_says_what_its_page_added():
    stored = {1: SimpleNamespace(owner="", document_id="d", document="r.pdf", passage=Passage("text", 0, 4, 0, 0))}
    query = expand_query("What is the quick ratio of 2022?", QuerySettings())
    (hit,) = score_pages(query, [Hit(1, 1.0)], stored, lambda key: BALANCE, lambda term: 1.0, SETTINGS)
    assert hit.signals == (Signal("page", SETTINGS.statement_weight, 1),)
    assert hit.score == pytest.approx(1.0 + SETTINGS.statement_weight)


def test_the_facts_of_a_page_are_read_from_its_text_and_words():
    rows = [[(0.1, f"Total {name}"), (0.5, "12"), (0.7, "34")] for name in ("current assets", "assets", "liabilities")]
    rows += [[(0.1, name), (0.5, "12"), (0.7, "34")] for name in ("Cash", "Payables", "Deficit", "Notes", "Leases")]
    facts = facts_of(*page([(0.1, "Balance Sheets")], [(0.5, "2022"), (0.7, "2021")], *rows))
    assert facts.statements.keys() == {Statement.BALANCE}
    assert not facts.boilerplate
    assert len(facts.rows) == len(rows)
    assert facts.rows[0].years == {2021, 2022}


def test_facts_are_read_once_and_a_removed_page_has_none():
    text, words = page([(0.1, "The Bridge")])
    asked = []

    def pages(owner, document_id, first, last):
        asked.append((owner, document_id, first, last))
        return [SimpleNamespace(text=text, words=words)] if document_id == "d" else []

    facts = StoredFacts(SimpleNamespace(pages=pages), kept_pages=10)
    assert facts.of(("", "d", 3)) == facts.of(("", "d", 3)) == replace(NOTHING, headings=(frozenset(("bridge",)),))
    assert facts.of(("", "gone", 3)) == NOTHING
    assert asked == [("", "d", 3, 3), ("", "gone", 3, 3)]


def test_a_page_without_word_boxes_has_no_rows():
    assert facts_of("Sales 1\nCosts 2\nTaxes 3", NO_WORDS).rows == ()
