from __future__ import annotations

import numpy as np
import pytest

from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.protocols import Scope
from rag.retrieve.routing import DocumentRouter

ALL = Scope("")
N21, N22, SCAN = "NORTHWIND_2021_10K.pdf", "NORTHWIND_2022_10K.pdf", "scan0042.pdf"
LIBRARY = {
    N21: ["Northwind sells tools", "revenue of northwind grew", "risk factors"],
    N22: ["Northwind sells tools", "revenue of northwind fell", "risk factors"],
    SCAN: ["Meridian bakes bread", "Meridian opened a bakery", "revenue and risk factors"],
}


@pytest.fixture
def router():
    words = BM25Index()
    made = DocumentRouter(words)
    first = 10
    for name, texts in LIBRARY.items():
        ids = np.arange(first, first + len(texts))
        words.add(ids.tolist(), CountedTerms.of(texts), [("", name)] * len(ids))
        made.add(("", name), name, "", ids)
        first += 2000
    return made


def best(router: DocumentRouter, question: str) -> str:
    scores = router.scores(question, ALL)
    return list(LIBRARY)[int(np.argmax(scores))] if scores.max() > 0 else ""


@pytest.mark.parametrize(
    ("question", "name"),
    [
        pytest.param("What was the revenue of Northwind in 2022?", N22, id="name and year"),
        pytest.param("How did North Wind do in FY21?", N21, id="in two words, short year"),
        pytest.param("When did Meridian open the bakery?", SCAN, id="by what runs through it"),
        pytest.param("northwind 2021 年报的收入", N21, id="chinese"),
        pytest.param("What is the weather?", "", id="nothing"),
    ],
)
def test_a_question_names_its_document(router, question, name):
    assert best(router, question) == name


def test_what_all_documents_contain_favours_none(router):
    scores = router.scores("risk factors", ALL)
    assert np.ptp(scores) < 0.1


def test_passages_of_documents_and_documents_of_passages(router):
    slots = router.slots_of(np.array([10, 2011, 4012, 9_999_999, 5]))
    assert slots.tolist() == [0, 1, 2, -1, -1]
    assert router.narrow(ALL, np.array([1])) == Scope("", frozenset([N22]))
    assert router.narrow(ALL, np.array([], np.int64)) == Scope("", frozenset())
    assert router.count(ALL) == 3


def test_documents_out_of_scope_score_0_whatever_their_names(router):
    question = "What was the revenue of Northwind in 2022?"
    assert router.scores(question, ALL)[1] > router.scores(question, ALL)[0] > 0
    within = router.scores(question, Scope("", frozenset([N21, SCAN, "unknown"])))
    assert within[1] == 0
    assert within[0] > 0


def test_other_peoples_documents_do_not_change_how_rare_a_name_is(router):
    """How rare a name is counts within the documents that may be searched."""
    before = router.scores("Northwind", ALL)
    router.add(("ben", "x"), "northwind northwind 2020.pdf", "", np.array([9000]))
    assert router.scores("Northwind", ALL)[:3] == pytest.approx(before)
    assert router.scores("Northwind", ALL)[3] == 0
    assert router.scores("Northwind", Scope("ben"))[3] > 0


def test_a_removed_document_scores_nothing(router):
    router.remove(("", SCAN))
    router.remove(("", "unknown.pdf"))
    assert best(router, "When did Meridian open the bakery?") == ""
    assert router.slots_of(np.array([4010])).tolist() == [-1]
    assert router.count(ALL) == 2
    assert router.narrow(ALL, np.array([2])) == Scope("", frozenset())
    router.add(("", "again.pdf"), "Meridian.pdf", "", np.array([7000]))
    assert router.slots_of(np.array([7000])).tolist() == [3]
    assert int(np.argmax(router.scores("Meridian", ALL))) == 3


@pytest.mark.parametrize(
    ("question", "groups"),
    [
        pytest.param("Compare the revenue of Northwind in 2021 and 2022", [[N21], [N22]], id="years"),
        pytest.param("Compare scan0042 with Northwind 2022", [[N22], [SCAN]], id="names"),
        pytest.param("Did Northwind sell more than scan0042?", [[SCAN], [N21, N22]], id="group"),
        pytest.param("What was the revenue of Northwind in 2022?", [], id="one"),
        pytest.param("What was the revenue of Northwind?", [], id="one name"),
        pytest.param("How did scan0042 do in 2021?", [], id="a year alone is no other document"),
        pytest.param("What is the weather?", [], id="nothing"),
    ],
)
def test_compared_documents_of_reports_by_year(router, question, groups):
    found = router.compared_documents(question, ALL)
    assert [scope.documents for scope in found] == [frozenset(names) for names in groups]


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
        words.add(ids.tolist(), CountedTerms.of(f"line {n} of some text" for n in ids), [("", name)] * len(ids))
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
def test_which_documents_a_question_compares(office, question, named):
    found = office.compared_documents(question, ALL)
    assert sorted(name for scope in found for name in scope.documents) == sorted(named)


def test_only_documents_in_scope_are_compared(router):
    question = "Compare the revenue of Northwind in 2021 and 2022"
    assert router.compared_documents(question, Scope("", frozenset([N21, SCAN]))) == []
    assert len(router.compared_documents(question, Scope("ann", frozenset([N21, N22, SCAN])))) == 2


def test_a_term_of_a_few_passages_says_less_than_a_tenth_of_one_that_runs_through_a_document():
    """Of thirteen documents of fifty passages one is about herons, and one mentions zebras twice."""
    words = BM25Index()
    router = DocumentRouter(words)
    for slot in range(13):
        ids = np.arange(50 * slot, 50 * slot + 50)
        subject = ["zebra" if slot == 1 and n < 2 else "heron" if slot == 0 else "text" for n in range(50)]
        words.add(ids.tolist(), CountedTerms.of(f"some {word} here" for word in subject), [("", str(slot))] * 50)
        router.add(("", str(slot)), f"scan {slot}.pdf", "", ids)
    heron, zebra = router.scores("herons", Scope("")), router.scores("zebras", Scope(""))
    assert int(np.argmax(heron)) == 0
    assert int(np.argmax(zebra)) == 1
    assert 0 < zebra.max() < 0.1 * heron.max()


REPORTS = (
    "BESTBUY_2023_10K.pdf",
    "3M_2018_10K.pdf",
    "ADOBE_2016_10K.pdf",
    "ACTIVISIONBLIZZARD_2019_10K.pdf",
    "章程.pdf",
)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What did Best Buy sell?", {"BESTBUY_2023_10K.pdf": {"best", "buy"}}),
        ("What were the sales of 3M in 2018?", {"3M_2018_10K.pdf": {"3m"}}),
        ("How did Activision do?", {"ACTIVISIONBLIZZARD_2019_10K.pdf": {"activision"}}),
        ("Compare Adobe with 3M.", {"ADOBE_2016_10K.pdf": {"adobe"}, "3M_2018_10K.pdf": {"3m"}}),
        ("What was revenue in the 10-K of 2018?", {}),
        ("What did Nike sell?", {}),
        ("公司章程怎么规定？", {"章程.pdf": {"章程"}}),
    ],
)
def test_the_documents_that_a_question_names(question, named):
    words = BM25Index()
    router = DocumentRouter(words)
    for n, name in enumerate(REPORTS):
        words.add([n], CountedTerms.of([f"revenue of {name.split('_')[0]} in 2018"]), [("", name)])
        router.add(("", name), name, "", np.array([n]))
    assert router.named_documents(question, ALL) == named


def test_a_word_that_all_documents_use_names_none():
    words = BM25Index()
    router = DocumentRouter(words)
    for n, name in enumerate(("annual report.pdf", "other.pdf")):
        words.add([n], CountedTerms.of(["This report is annual."]), [("", name)])
        router.add(("", name), name, "", np.array([n]))
    assert router.named_documents("What does the annual report say?", ALL) == {}
    assert router.coverage("annual", ALL) == {"annual report.pdf": 1.0, "other.pdf": 1.0}
    assert router.coverage("annual", Scope("", frozenset(["other.pdf"]))) == {"other.pdf": 1.0}


def test_all_documents_of_a_company_are_named(router):
    assert set(router.named_documents("What did Northwind sell?", ALL)) == {N21, N22}


def test_words_for_periods_name_no_document_beside_the_name_of_one():
    words, names = BM25Index(), {"NORTHWIND_2022_10K.pdf": "Annual report", "MERIDIAN_Q4.pdf": "Fourth quarter results"}
    made = DocumentRouter(words)
    for n, (name, title) in enumerate(names.items()):
        words.add([10 * n + 1], CountedTerms.of([f"{title} of the shares"]), [("", name)])
        made.add(("", name), name, title, np.array([10 * n + 1]))
    assert set(made.named_documents("What did Northwind's stock cost in the fourth quarter?", ALL)) == {
        "NORTHWIND_2022_10K.pdf"
    }


def test_a_word_that_a_title_shares_with_others_names_no_document_that_lacks_what_is_asked_for():
    words = BM25Index()
    made = DocumentRouter(words)
    texts = {
        "guide.pdf": (
            "Ashcombe Public Library",
            ["The public library lends books", "Public rooms", "Fines are public"],
        ),
        "minutes.pdf": (
            "Minutes",
            ["Councillors voted", "They close the public toilets", "The chair thanked the clerk"],
        ),
        "notes.pdf": ("Notes", ["A page of notes", "Another page", "More of it"]),
    }
    for number, (name, (title, passages)) in enumerate(texts.items()):
        ids = np.arange(100 * number, 100 * number + len(passages))
        words.add(ids.tolist(), CountedTerms.of(passages), [("", name)] * len(ids))
        made.add(("", name), name, title, ids)
    assert made.named_documents("Who wants to close the public toilets?", ALL) == {}
    assert made.named_documents("Which fines does the public library have?", ALL).keys() == {"guide.pdf"}
    assert made.named_documents("Has the Ashcombe library any toilets?", ALL).keys() == {"guide.pdf"}
