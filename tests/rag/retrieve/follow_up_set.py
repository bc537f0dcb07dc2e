"""The set of follow-ups, `tests/data/follow_ups.jsonl`, and how a completion is compared with the accepted ones.

Each line has `language`, `domain`, `history` (pairs of question and answer), `question`, `accepted` (the question
itself where it stands alone) and `held_out` (not looked at while the rules were written).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rag.reader import Turn
from rag.retrieve.follow_up import complete_question
from tests.templates import ROOT

# Words without which a question means the same.
_FUNCTION_WORDS = frozenset("a an the of in for on at to did do does was were is are s and be have".split())
_PARTICLES = frozenset("的是了吗呢在有，。？")


def follow_ups() -> Iterator[dict[str, Any]]:
    for line in (ROOT / "tests" / "data" / "follow_ups.jsonl").read_text("utf-8").splitlines():
        yield json.loads(line)


def words(text: str) -> frozenset[str]:
    """The words of a text that carry its meaning: Chinese by characters."""
    found = re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", text.casefold())
    return frozenset(word for word in found if word not in _FUNCTION_WORDS and word not in _PARTICLES)


def is_understood(case: dict[str, Any]) -> bool:
    """Whether all words that are needed are in the completion and no others; a complete question must not change."""
    completed = complete_question(case["question"], [Turn(*turn) for turn in case["history"]])
    if case["accepted"] == [case["question"]]:
        return completed == case["question"]
    return words(completed) in [words(accepted) for accepted in case["accepted"]]
