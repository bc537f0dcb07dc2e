"""The documents in the other script than a question, Chinese or alphabetic: where to look if its own have no answer.

Passages in the question's own script come first whatever they say: their vectors are nearer to it, and they share its
terms. So a library of both scripts is searched again without them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rag.index.protocols import Scope
from rag.language import mainly_chinese
from rag.retrieve.searching import Searching

# Terms of which nearly every text of a page has some, by whether they are Chinese.
COMMON_TERMS: Final = {
    False: "any each first made many more most must new number one only other part time two under used work".split(),
    True: "一个 不得 以及 使用 包括 可以 如果 应当 我们 时间 根据 没有 目前 规定 进行 公司 工作 要求 问题".split(),
}


def in_other_script(question: str, scope: Scope, searching: Searching) -> Scope | None:
    """The scope narrowed to its documents in the other script; None if there are none."""
    chinese = mainly_chinese(question)
    own, other = (_coverage(scope, searching, chinese=script) for script in (chinese, not chinese))
    documents = frozenset(one for one, share in other.items() if share > own.get(one, 0.0))
    return replace(scope, documents=documents) if documents else None


def _coverage(scope: Scope, searching: Searching, *, chinese: bool) -> dict[str, float]:
    """Shares of the passages of each document that have common terms of a script, added up."""
    total: dict[str, float] = {}
    for term in COMMON_TERMS[chinese]:
        for document, share in searching.coverage(term, scope).items():
            total[document] = total.get(document, 0.0) + share
    return total
