from __future__ import annotations

import numpy as np
import pytest

from rag.index.bm25 import BM25Index
from rag.retrieve.routing import DocumentRouter

LIBRARY = {
    "NORTHWIND_2021_10K.pdf": ["Northwind sells tools", "revenue of northwind grew", "risk factors"],
    "NORTHWIND_2022_10K.pdf": ["Northwind sells tools", "revenue of northwind fell", "risk factors"],
    "scan0042.pdf": ["Meridian bakes bread", "Meridian opened a bakery", "revenue and risk factors"],
}


@pytest.fixture
def router():
    words = BM25Index()
    made = DocumentRouter(words)
    first = 10
    for name, texts in LIBRARY.items():
        ids = np.arange(first, first + len(texts))
        words.add(ids.tolist(), texts)
        made.add(("", name), name, "", ids)
        first += 2000
    return made


def best(router: DocumentRouter, question: str) -> str:
    scores = router.scores(question)
    return list(LIBRARY)[int(np.argmax(scores))] if scores.max() > 0 else ""


@pytest.mark.parametrize(
    ("question", "name"),
    [
        pytest.param("What was the revenue of Northwind in 2022?", "NORTHWIND_2022_10K.pdf", id="name and year"),
        pytest.param("How did North Wind do in FY21?", "NORTHWIND_2021_10K.pdf", id="in two words, short year"),
        pytest.param("When did Meridian open the bakery?", "scan0042.pdf", id="by what runs through it"),
        pytest.param("northwind 2021 年报的收入", "NORTHWIND_2021_10K.pdf", id="chinese"),
        pytest.param("What is the weather?", "", id="nothing"),
    ],
)
def test_a_question_names_its_document(router, question, name):
    assert best(router, question) == name


def test_what_all_documents_say_tells_none_from_another(router):
    scores = router.scores("risk factors")
    assert np.ptp(scores) < 0.1


def test_passages_of_documents_and_documents_of_passages(router):
    slots = router.slots_of(np.array([10, 2011, 4012, 9_999_999, 5]))
    assert slots.tolist() == [0, 1, 2, -1, -1]
    assert router.passages_of(np.array([1])).tolist() == [2010, 2011, 2012]
    assert router.passages_of(np.array([], np.int64)).tolist() == []


def test_documents_outside_the_scope_fit_nothing_whatever_their_names(router):
    question = "What was the revenue of Northwind in 2022?"
    assert router.scores(question)[1] > router.scores(question)[0] > 0
    within = router.scores(question, np.array([10, 4010, 9_999_999]))
    assert within[1] == 0
    assert within[0] > 0


def test_what_others_have_in_their_libraries_changes_no_name(router):
    """How rare a name is counts within the documents that may be searched."""
    own = np.array([10, 11, 12, 4010, 4011, 4012])
    before = router.scores("Northwind", own)
    router.add(("ben", "x"), "northwind northwind 2020.pdf", "", np.array([9000]))
    assert router.scores("Northwind", own)[:3] == pytest.approx(before)


def test_a_removed_document_scores_nothing(router):
    router.remove(("", "scan0042.pdf"))
    router.remove(("", "unknown.pdf"))
    assert best(router, "When did Meridian open the bakery?") == ""
    assert router.slots_of(np.array([4010])).tolist() == [-1]
    assert router.passages_of(np.array([2])).tolist() == []
    router.add(("", "again.pdf"), "Meridian.pdf", "", np.array([7000]))
    assert router.slots_of(np.array([7000])).tolist() == [3]
    assert int(np.argmax(router.scores("Meridian"))) == 3


@pytest.mark.parametrize(
    ("question", "groups"),
    [
        pytest.param(
            "Compare the revenue of Northwind in 2021 and 2022", [[10, 11, 12], [2010, 2011, 2012]], id="years"
        ),
        pytest.param("Compare scan0042 with Northwind 2022", [[2010, 2011, 2012], [4010, 4011, 4012]], id="names"),
        pytest.param(
            "Did Northwind sell more than scan0042?", [[4010, 4011, 4012], [10, 11, 12, 2010, 2011, 2012]], id="group"
        ),
        pytest.param("What was the revenue of Northwind in 2022?", [], id="one"),
        pytest.param("What was the revenue of Northwind?", [], id="one name"),
        pytest.param("How did scan0042 do in 2021?", [], id="a year alone is no other document"),
        pytest.param("What is the weather?", [], id="nothing"),
    ],
)
def test_documents_named_side_by_side(router, question, groups):
    assert [ids.tolist() for ids in router.compared_documents(question)] == groups


FILES = [
    "Lecture 1 Introduction",
    "Lecture 3",
    "Lecture 5",
    "Invoice 12",
    "Invoice 30",
    "Warranty Terms",
    "Pump Manual",
]
FILES += [
    "Safety Data Sheet Acetone",
    "Employee Handbook",
    "Travel Policy",
    "Lease Berlin",
    "BLOCK_2016_10K",
    "ADOBE_10K",
]


@pytest.fixture
def office():
    words = BM25Index()
    made = DocumentRouter(words)
    for slot, name in enumerate(FILES):
        ids = np.arange(100 * slot, 100 * slot + 50)
        words.add(ids.tolist(), [f"line {n} of some text" for n in ids])
        made.add(("", name), name + ".pdf", "Final Form 10-K" if name.endswith("K") else "", ids)
    return made


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What does lecture 3 say about the 5 activation functions?", []),
        ("On page 2 of lecture 5, what is shown?", []),
        ("Is invoice 12 due within 30 days, and who pays it?", []),
        ("What are the payment terms of invoice 30?", []),
        ("Which safety valve does the pump have?", []),
        ("May an employee travel to Berlin by train?", []),
        ("What is the block size of Adobe's storage?", []),
        ("Does Adobe's 10-K or another form say that it is final?", []),
        ("Compare lecture 3 with lecture 5", ["Lecture 3", "Lecture 5"]),
        ("What differs between the handbook and the travel policy?", ["Travel Policy", "Employee Handbook"]),
        ("Did Adobe or Block grow more?", ["BLOCK_2016_10K", "ADOBE_10K"]),
    ],
)
def test_which_files_a_question_puts_side_by_side(office, question, named):
    found = [FILES[int(ids[0]) // 100] for ids in office.compared_documents(question)]
    assert sorted(found) == sorted(named)


def test_only_documents_of_the_scope_stand_side_by_side(router):
    question = "Compare the revenue of Northwind in 2021 and 2022"
    assert router.compared_documents(question, np.array([10, 4010])) == []
    assert len(router.compared_documents(question, np.array([10, 2010, 4010]))) == 2
