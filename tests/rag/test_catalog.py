from __future__ import annotations

import numpy as np
import pytest

from rag.catalog import Catalog
from rag.words import WordIndex

LIBRARY = {
    "NORTHWIND_2021_10K.pdf": ["Northwind sells tools", "revenue of northwind grew", "risk factors"],
    "NORTHWIND_2022_10K.pdf": ["Northwind sells tools", "revenue of northwind fell", "risk factors"],
    "scan0042.pdf": ["Meridian bakes bread", "Meridian opened a bakery", "revenue and risk factors"],
}


@pytest.fixture
def catalog():
    words = WordIndex()
    made = Catalog(words)
    first = 10
    for name, texts in LIBRARY.items():
        ids = np.arange(first, first + len(texts))
        words.add(ids.tolist(), texts)
        made.add(("", name), name, "", ids)
        first += 2000
    return made


def best(catalog: Catalog, question: str) -> str:
    fits = catalog.fits(question)
    return list(LIBRARY)[int(np.argmax(fits))] if fits.max() > 0 else ""


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
def test_a_question_names_its_document(catalog, question, name):
    assert best(catalog, question) == name


def test_what_all_documents_say_tells_none_from_another(catalog):
    fits = catalog.fits("risk factors")
    assert np.ptp(fits) < 0.1


def test_passages_of_documents_and_documents_of_passages(catalog):
    slots = catalog.slots(np.array([10, 2011, 4012, 9_999_999, 5]))
    assert slots.tolist() == [0, 1, 2, -1, -1]
    assert catalog.passages(np.array([1])).tolist() == [2010, 2011, 2012]
    assert catalog.passages(np.array([], np.int64)).tolist() == []


def test_documents_outside_the_scope_fit_nothing_whatever_their_names(catalog):
    question = "What was the revenue of Northwind in 2022?"
    assert catalog.fits(question)[1] > catalog.fits(question)[0] > 0
    within = catalog.fits(question, np.array([10, 4010, 9_999_999]))
    assert within[1] == 0
    assert within[0] == catalog.fits(question)[0]


def test_a_removed_document_fits_nothing(catalog):
    catalog.remove(("", "scan0042.pdf"))
    catalog.remove(("", "unknown.pdf"))
    assert best(catalog, "When did Meridian open the bakery?") == ""
    assert catalog.slots(np.array([4010])).tolist() == [-1]
    assert catalog.passages(np.array([2])).tolist() == []
    catalog.add(("", "again.pdf"), "Meridian.pdf", "", np.array([7000]))
    assert catalog.slots(np.array([7000])).tolist() == [3]
    assert int(np.argmax(catalog.fits("Meridian"))) == 3


@pytest.mark.parametrize(
    ("question", "groups"),
    [
        pytest.param(
            "Compare the revenue of Northwind in 2021 and 2022", [[10, 11, 12], [2010, 2011, 2012]], id="years"
        ),
        pytest.param("Compare scan0042 with Northwind 2022", [[4010, 4011, 4012], [2010, 2011, 2012]], id="names"),
        pytest.param(
            "Did Northwind sell more than scan0042?", [[4010, 4011, 4012], [10, 11, 12, 2010, 2011, 2012]], id="group"
        ),
        pytest.param("What was the revenue of Northwind in 2022?", [], id="one"),
        pytest.param("What was the revenue of Northwind?", [], id="one name"),
        pytest.param("How did scan0042 do in 2021?", [], id="a year alone is no other document"),
        pytest.param("What is the weather?", [], id="nothing"),
    ],
)
def test_documents_named_side_by_side(catalog, question, groups):
    found = [sorted(ids.tolist()) for ids in catalog.apart(question)]
    assert sorted(found) == sorted(groups)


def test_only_documents_of_the_scope_stand_side_by_side(catalog):
    question = "Compare the revenue of Northwind in 2021 and 2022"
    assert catalog.apart(question, np.array([10, 4010])) == []
    assert len(catalog.apart(question, np.array([10, 2010, 4010]))) == 2
