"""Calls by its name what somebody earned or lost: "How much did it earn?", 赚了多少钱 ask for the net income."""

from __future__ import annotations

import re
from typing import Final

_MAX_CHARACTERS: Final = 500  # of a question that is looked at
_EARNED: Final = re.compile(
    r"\bhow much (?:money |profit |in profits? )?(?:did|does|has|have) (?P<who>[^?,;]{1,120}?)"
    r" (?:earn(?:ed)?|los[et]|(?:made?|turn) (?:a|in|as) (?:net )?(?:profit|loss))"
    r"(?=\W*$|,? (?:in|for|during|over|at) (?:the )?(?:fiscal|financial|calendar|full|whole|years?|FY|\d))",
    re.IGNORECASE,
)
_EARNED_HAN: Final = re.compile(
    r"的?(?:一共|总共|共|大概|大约)?(?:赚|挣|盈利|亏损|亏)[到了得]{0,2}(?:多少|几)[万亿]?[元钱]?(?!个百分点)|的?净?亏损额?(?:是|为|有)多少"
)


def with_net_income(question: str) -> str:
    """The question with "net income" where it asks what somebody earned or lost; else as it is."""
    if len(question) > _MAX_CHARACTERS:
        return question
    named = _EARNED_HAN.sub("的净利润是多少", question, count=1)
    return _EARNED.sub(lambda found: f"what was the net income of {found['who']}", named, count=1)
