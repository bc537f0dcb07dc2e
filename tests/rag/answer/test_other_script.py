"""Names in the other script: listed ones, and foreign ones in Chinese by their sound."""

from __future__ import annotations

import pytest

from rag.answer.missing import Comparison, KnownLibrary
from rag.answer.other_script import is_transliterated, listed_at_start, sounds_like_one_of, translations
from rag.records import Source
from rag.settings import DoubtSettings


@pytest.mark.parametrize(
    ("name", "other"),
    [("特斯拉", "Tesla"), ("苹果公司", "Apple"), ("tesla", "特斯拉"), ("United States", "美国"), ("蓝湖科技", None)],
)
def test_well_known_names_are_translated(name, other):
    assert (other in translations(name)) if other else translations(name) == ()


def test_a_listed_name_is_found_before_other_words():
    assert listed_at_start("美国运通主要") == "美国运通"
    assert listed_at_start("净利润") == ""


@pytest.mark.parametrize(
    ("name", "word", "alike"),
    [
        ("约翰·埃尔维", "Elway", True),
        ("托马斯·皮凯蒂", "Piketty", True),
        ("杰克逊维尔", "Jacksonville", True),
        ("蒙特利尔", "Montreal", True),
        ("斯蒂格利茨", "Stiglitz", True),
        ("蒙特利尔", "Toronto", False),
        ("斯蒂格利茨", "Krugman", False),
        ("约翰·埃尔维", "Manning", False),
    ],
)
def test_a_transliterated_name_sounds_like_the_name_it_stands_for(name, word, alike):
    assert is_transliterated(name)
    assert sounds_like_one_of(name, ["The", word]) is alike


def compared(question: str, text: str) -> Comparison:
    source = Source(1, 1, "a", "a.pdf", 0, 0, "1", (), text, 0, len(text), 1.0)
    library = KnownLibrary({}, lambda term: 1.0, lambda term: {}, lambda source: "")
    return Comparison(question, [source], library, DoubtSettings())


@pytest.mark.parametrize(
    ("question", "text", "missing"),
    [
        ("特斯拉2021年的收入是多少？", "Tesla's revenue was 53 billion in 2021.", []),
        ("特斯拉2021年的收入是多少？", "Boeing's revenue was 62 billion in 2021.", ["特斯拉"]),
        ("What was Tesla's revenue in 2021?", "特斯拉公司2021年的收入为五百三十亿。", []),
        ("What was Tesla's revenue in 2021?", "波音公司2021年的收入为六百二十亿。", ["Tesla"]),
        ("斯蒂格利茨在2009年说了什么？", "In 2009 Joseph Stiglitz gave evidence on inequality.", []),
        ("斯蒂格利茨在2009年说了什么？", "In 2009 Thomas Piketty gave evidence on inequality.", ["斯蒂格利茨"]),
        ("蓝湖科技2021年的收入是多少？", "Boeing's revenue was 62 billion in 2021.", []),  # nothing tells
    ],
)
def test_names_are_looked_for_in_both_scripts(question, text, missing):
    assert [thing.text for thing in compared(question, text).missing] == missing
