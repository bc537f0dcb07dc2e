"""What is searched for, and how several searches become one list. Whole searches are in `test_engine.py`."""

from __future__ import annotations

import numpy as np
import pytest

from rag.find import Finder, in_turn
from rag.search import Hit
from rag.settings import Searching


def hits(*ids: int) -> list[Hit]:
    return [Hit(passage, 1 - n / 10) for n, passage in enumerate(ids)]


def test_lists_take_turns_and_a_passage_comes_once():
    assert [hit.passage_id for hit in in_turn([hits(1, 2, 3), hits(2, 4), hits(5)])] == [1, 2, 5, 4, 3]
    assert in_turn([hits(3, 1)]) == hits(3, 1)
    assert in_turn([[], hits(7)]) == hits(7)
    assert in_turn([]) == []


def test_what_all_questions_share_is_taken_out_by_their_script():
    usual = {False: np.array([1.0, 0.0], np.float32), True: np.array([0.0, 1.0], np.float32)}
    finder = Finder(*[None] * 5, Searching(usual_share=0.5), usual)
    vector = np.array([0.6, 0.8], np.float32)
    assert finder._own("How high is the bridge?", vector) == pytest.approx([0.1, 0.8])
    assert finder._own("桥有多高？", vector) == pytest.approx([0.6, 0.3])
