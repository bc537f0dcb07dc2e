from __future__ import annotations

import json
from dataclasses import replace

from rag.evaluation.question_file import Question
from rag.evaluation.question_sets import as_lines
from rag.evaluation.runs import Change, Result, RightPage, Run, SavedQuestion, compare, cuts, differences
from rag.settings import Settings


def run(*ranks, depth=8, **changes) -> Run:
    """A run in which question n had the n-th rank; a rank of 0 stands for a question that was not asked."""
    results = {number: Result(rank, 0.01) for number, rank in enumerate(ranks, 1) if rank != 0}
    base = Run(1, 0.0, depth, "exact", 2, 20, "lib", {"retrieval.sources": depth}, results)
    return replace(base, **changes)


def test_the_last_cut_is_the_depth():
    assert cuts(8) == (1, 3, 5, 8)
    assert cuts(20) == (1, 3, 5, 10, 20)
    assert cuts(1) == (1,)


def test_the_numbers_of_a_run_by_hand():
    made = run(1, 4, None, 8)
    assert [made.recall(k) for k in (1, 5, 8)] == [0.25, 0.5, 0.75]
    assert made.recall(10) is None, "only 8 sources were looked at"
    assert made.mrr == (1 + 1 / 4 + 1 / 8) / 4
    assert made.latency.median == 10.0


def test_lost_won_moved_and_the_same_by_hand():
    found = compare(run(1, 7, 2, 6, None, 3), run(6, 2, 3, 7, None, 3), 5)
    assert found.lost == (Change(1, 1, 6),)
    assert found.won == (Change(2, 7, 2),)
    assert found.moved == (Change(3, 2, 3), Change(4, 6, 7))
    assert found.same == 2


def test_only_questions_of_both_runs_are_compared():
    found = compare(run(1, 0, 1), run(1, None, 0), 5)
    assert (found.lost, found.won, found.moved, found.same) == ((), (), (), 1)


def test_a_rank_beyond_the_depth_of_either_run_is_no_change():
    found = compare(run(None, 2, depth=8), run(15, 2, depth=20), 8)
    assert found.won == ()
    assert found.same == 2


def with_pages(made: Run, *digests: str) -> Run:
    """A run whose questions, in order, were measured with these correct pages."""
    pairs = zip(made.results.items(), digests, strict=True)
    return replace(made, results={key: replace(result, pages=pages) for (key, result), pages in pairs})


def test_a_question_with_changed_right_pages_is_neither_lost_nor_won_nor_the_same():
    old = with_pages(run(1, 7, 2, 3, 1), "a", "b", "c", "d", "")
    new = with_pages(run(7, 1, 2, 3, 7), "A", "B", "C", "d", "e")
    found = compare(old, new, 5)
    assert found.other_pages == (Change(1, 1, 7), Change(2, 7, 1), Change(3, 2, 2))
    assert (found.won, found.moved, found.same) == ((), (), 1)
    assert found.lost == (Change(5, 1, 7),), "a run that did not keep its correct pages is compared as it always was"
    assert differences(old, new) == [("right_pages", "", "")]
    assert differences(old, old) == differences(old, run(1, 7, 2, 3, 1)) == []


def test_the_digest_changes_with_the_right_pages_of_a_question():
    here, gone = RightPage("a", 4, "a.pdf", "5"), RightPage("a", 4, "", "")
    other = RightPage("a", 5, "a.pdf", "6")

    def digest(*pages):
        return SavedQuestion(1, "x", pages).pages_digest

    assert digest(here) == digest(gone), "a removed document changes nothing of what is right"
    assert digest(here, other) == digest(other, here)
    assert len({digest(), digest(here), digest(other), digest(here, other)}) == 4


def test_runs_are_shown_over_the_questions_they_share():
    old, new = with_pages(run(1, 2, 3, 4), *"abcd"), with_pages(run(5, 0, 6, 7, 8), *"aCd", "")
    assert list(old.shared_with(new).results) == [1, 4]
    assert old.shared_with(new).ranks == [1, 4]
    assert new.shared_with(new) == new
    assert old.only({2, 9}).ranks == [2]
    assert old.only({}).results == {}


def test_different_questions_are_not_reported_as_a_number():
    assert differences(run(1, 1), run(1, 0, 1)) == [("other_questions", "", "")]
    assert differences(run(1, 1), run(0, 0, 1)) == [("questions", 2, 1)]


def test_every_difference_between_two_runs_is_named():
    old = run(1, settings={"retrieval.sources": 8, "retrieval.gone": 1})
    new = run(1, 2, documents=3, passages=30, library="more", settings={"retrieval.sources": 4, "retrieval.new": 2})
    assert differences(old, old) == []
    assert differences(old, new) == [
        ("documents", 2, 3),
        ("passages", 20, 30),
        ("questions", 1, 2),
        ("retrieval.gone", 1, None),
        ("retrieval.new", None, 2),
        ("retrieval.sources", 8, 4),
    ]
    assert differences(old, replace(old, library="swapped")) == [("library", "", "")]
    assert differences(old, replace(old, reranker="bge")) == [("reranker", "", "bge")]


def test_exported_questions_are_read_by_the_command_line():
    here = [RightPage("a", 4, "a.pdf", "5"), RightPage("a", 2, "a.pdf", "3"), RightPage("b", 0, "乙.pdf", "i")]
    gone = RightPage("c", 1, "", "")
    kept = [
        SavedQuestion(1, "How\nmany?", (*here, gone)),
        SavedQuestion(2, "有多高？", (here[2],)),
        SavedQuestion(3, "x", (gone,)),
    ]
    lines = as_lines(kept).splitlines()
    read = [Question.parse(json.loads(line)) for line in lines]
    assert [(one.question, one.document, one.pages, one.language) for one in read] == [
        ("How\nmany?", "a.pdf", {2, 4}, "en"),
        ("How\nmany?", "乙.pdf", {0}, "en"),
        ("有多高？", "乙.pdf", {0}, "zh"),
    ]
    assert json.loads(lines[0])["pages"] == [2, 4]
    assert as_lines([]) == ""


def test_a_setting_that_a_run_does_not_record_had_its_default():
    old, new = run(1, settings={"limits.pages": 5, "parallel_reads": 2}), run(1, settings={})
    assert differences(old, new) == [("limits.pages", 5, Settings().limits.pages)]
