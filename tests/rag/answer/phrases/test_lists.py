"""Lists below a line that introduces them."""

from __future__ import annotations

import time

import pytest

from rag.answer.phrases.lists import enumeration_around, find_list, names_around, split_items
from rag.records import Source
from rag.settings import PhraseSettings


def source(text: str) -> Source:
    return Source(1, 1, "d", "handbook.pdf", 0, 0, "1", (), text, 0, len(text), 1.0)


def items(question: str, text: str) -> list[str]:
    found = find_list(question, [source(text)], lambda term: 1.0, PhraseSettings())
    return [text[start:end] for start, end in found.items] if found else []


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        pytest.param(
            "What are the segments?",
            "Segments\nWe have three segments:\n• Cloud\n• Devices;\n• Services.\nOther text follows here.",
            ["Cloud", "Devices", "Services"],
            id="bullets",
        ),
        pytest.param(
            "Which documents are required?",
            "The following documents are required:\n1. Passport\n2. Proof of address\nSend them by post.",
            ["Passport", "Proof of address"],
            id="numbers",
        ),
        pytest.param(
            "主要风险有哪些？",
            "主要风险如下：\n（一）汇率风险。\n（二）市场竞争风险。\n公司将持续关注。",
            ["汇率风险", "市场竞争风险"],
            id="Chinese numerals",
        ),
        pytest.param("What are the segments?", "Segments\nWe have grown in all segments.", [], id="a heading alone"),
        pytest.param(
            "Which brands are there?",
            "The brands are as follows:\nBrands Carrying Amount\nNorthwind 19.4 7.7%\nContoso 6.8 7.0%",
            [],
            id="rows of a table",
        ),
        pytest.param("What are the risks?", "Our offices are:\n• Paris\n• Rome", [], id="another list"),
    ],
)
def test_items_are_the_lines_below_an_introduction(question: str, text: str, expected: list[str]) -> None:
    assert items(question, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cloud, Devices and Services", ["Cloud", "Devices", "Services"]),
        ("板球、足球和拳击", ["板球", "足球", "拳击"]),
        ("the board", ["the board"]),
        ("Industrial; Safety and Graphics; and Consumer", ["Industrial", "Safety and Graphics", "Consumer"]),
        ("Industrial, Safety and Graphics, and Consumer", ["Industrial", "Safety and Graphics", "Consumer"]),
        ("1964年和1968年", ["1964年", "1968年"]),
        ("“Company,” “we”", ["“Company,” “we”"]),
        ("a node; it's used to keep the tree", ["a node"]),
        ("HIV，它变异很快，所以难以预防", ["HIV"]),
        ("nodes, trees and lists; they are freed at the end", ["nodes", "trees", "lists"]),
        ("the board; the staff; those who asked", ["the board", "the staff", "those who asked"]),
    ],
)
def test_an_enumeration_is_split_into_its_items(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in split_items(text)] == expected


@pytest.mark.parametrize(
    ("sentence", "item", "expected"),
    [
        (
            "Three made up most: terrestris, lapidarius and pascuorum.",
            "terrestris",
            ["terrestris", "lapidarius", "pascuorum"],
        ),
        ("课程包括瑜伽、动感单车、普拉提和搏击操。", "瑜伽", ["瑜伽", "动感单车", "普拉提", "搏击操"]),
        ("The board met in Paris.", "Paris", ["Paris"]),
    ],
)
def test_one_item_stands_for_its_whole_enumeration(sentence: str, item: str, expected: list[str]) -> None:
    start = sentence.index(item)
    spans = enumeration_around(sentence, start, start + len(item))
    assert [sentence[a:b] for a, b in spans] == expected


def test_white_space_without_end_takes_little_time():
    text = "A" + " " * 50_000 + "B, C"
    began = time.process_time()
    assert split_items(text)
    assert enumeration_around(text, len(text) - 1, len(text))
    assert time.process_time() - began < 2.0  # the square of its length takes 30 s


@pytest.mark.parametrize(
    ("sentence", "item", "expected"),
    [
        ("Our employees in France, Germany, and Spain have one.", "Spain", ["France", "Germany", "Spain"]),
        ("Firms such as Bank of Wales and Ann Lee compete.", "Ann Lee", ["Bank of Wales", "Ann Lee"]),
        ("The board met in Paris, then rested.", "Paris", []),
    ],
)
def test_a_name_stands_for_the_names_around_it(sentence: str, item: str, expected: list[str]) -> None:
    start = sentence.index(item)
    assert [sentence[a:b] for a, b in names_around(sentence, start, start + len(item))] == expected
