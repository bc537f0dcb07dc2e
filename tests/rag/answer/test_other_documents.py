"""Where to look for an answer in the other script, and when."""

from __future__ import annotations

import pytest

from rag.answer.other_documents import in_other_script
from rag.index.protocols import SHARED


class _Coverage:
    """Three documents: an English lease, a Chinese contract, and a Chinese report with some English in it."""

    def coverage(self, term, scope):
        if term.isascii():
            return {"lease": 0.8, "report": 0.2} if term in ("must", "one") else {}
        return {"contract": 0.7, "report": 0.9} if term in ("公司", "应当") else {}


@pytest.mark.parametrize(
    ("question", "documents"), [("押金由谁保管？", {"lease"}), ("How long is probation?", {"contract", "report"})]
)
def test_documents_mainly_in_the_other_script(question, documents):
    assert in_other_script(question, SHARED, _Coverage()).documents == documents


def test_none_without_documents_in_the_other_script():
    class English(_Coverage):
        def coverage(self, term, scope):
            return {"lease": 1.0} if term.isascii() else {}

    assert in_other_script("How long is probation?", SHARED, English()) is None
