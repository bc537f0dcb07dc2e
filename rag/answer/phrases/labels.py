"""Lines that name what they give: "Contract number: CG-7", where a question asks for just that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rag.answer.phrases.kind import content
from rag.index.tokenize import terms
from rag.reader import Evidence

_LINE: Final = re.compile(r"\W*(?P<label>[^:：\n]{1,50})[:：]\s*(?P<value>[^\s:：；;][^:：；;\n]{0,80})")
_BRACKETS: Final = re.compile(r"[(（][^)）]{0,40}[)）]")
_WHO: Final = re.compile(r"是?谁|是\s*$")
_LOOKED_AT: Final = 12  # sentences


def find_labelled(question: str, evidence: Sequence[Evidence]) -> tuple[Evidence, int, int] | None:
    """The line whose label has the words of the question and no others, and its value [start, end)."""
    asked = frozenset(terms(_WHO.sub("", content(question))))
    for found in evidence[:_LOOKED_AT] if asked else ():
        line = _LINE.fullmatch(found.text.rstrip("。. \n"))
        if line and asked == frozenset(terms(_BRACKETS.sub("", line["label"]))):
            return found, line.start("value"), line.start("value") + len(line["value"].rstrip())
    return None
