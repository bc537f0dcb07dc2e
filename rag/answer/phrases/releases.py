"""Which release a change belongs to: the heading above the line about it, "Version 4.0 (March)"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from rag.answer.claims.lexicon import has_synonym
from rag.answer.phrases.negated import count_denials
from rag.answer.phrases.yes_no import holds
from rag.index.tokenize import terms
from rag.reader import ANSWERABLE, Evidence
from rag.records import Source

_RELEASE: Final = r"(?:version|release|edition)"
_NAME: Final = r"(?: (?:of|to|for) (?:the )?(?-i:[A-Z])\w{1,30}(?: (?-i:[A-Z])\w{1,30}){0,2})?"
_ASKED: Final = re.compile(
    rf"\b(?:which|what)(?: (?-i:[A-Z])\w{{1,30}})?(?: \w{{1,20}})? {_RELEASE}\b{_NAME}"
    r"|(?:从|在|自)?(?:哪一?个|什么|哪一?)版(?![面权图式])本?(?:开始|起|中|里)?",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(
    rf"^\W{{0,5}}(?:[\w.-]{{1,30}} ){{0,3}}?(?P<release>{_RELEASE}s? v?\d[\w.-]{{0,20}}|v\d[\w.-]{{0,20}}"
    r"|\d{1,4}(?:\.\d{1,4}){1,3}[a-z]?(?= |$|\()|第?\d[\d.]{0,12}版本?|版本 ?v?\d[\d.]{0,12})(?P<rest>.{0,60})$",
    re.IGNORECASE,
)
_DATED: Final = re.compile(
    r"[^()（）]{0,20}[(（][^()（）]{1,40}[)）]\W{0,3}|\W{0,5}[\w ,.-]{0,30}\d{4}[\w 年月日.-]{0,12}|\W{0,5}"
)
_ENDED: Final = re.compile(
    r"\b(?:drop\w*|remov\w+|discontinu\w+|end(?:s|ed|ing)?|stop\w*|cease\w*|abandon\w*|no longer|deprecat\w+"
    r"|retir\w+|delet\w+|withdr[ae]w\w*)\b|不再|停止|移除|取消|终止|删除|放弃|去掉",
    re.IGNORECASE,
)
_BEGAN: Final = re.compile(
    r"\b(?:add(?:s|ed)?|introduc\w+|gain\w*|brought|brings?|got|gets?|first|new|came|comes?|appear\w*|start\w*"
    r"|began|since|with|include[sd]?|ship\w*)\b|新增|增加|引入|加入|推出|支持|开始|首次|有",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(rf"\b{_RELEASE}s? v?\d|\d版|版本 ?\d", re.IGNORECASE)
_LEAST_HELD: Final = 0.8  # share of what is asked, by weight, that a line must contain
_BESIDE: Final = re.compile(
    rf"(?:\b{_RELEASE}s?|\bv|\b(?:in|with|since|as of|from|until|by|to)|版本?)\W{{0,3}}$", re.IGNORECASE
)
_WITHIN: Final = re.compile(rf"\b{_RELEASE}|版", re.IGNORECASE)
_LOOKED_AT: Final = 6  # sentences, from the first
_LINES_ABOVE: Final = 60
_MAX_LINE: Final = 120  # characters of a heading


def asks_release(question: str) -> bool:
    """Whether a question asks in which release, or version, something happened."""
    return _ASKED.search(question) is not None


def find_release(
    question: str, evidence: Sequence[Evidence], sources: Sequence[Source], weight: Callable[[str], float]
) -> tuple[Evidence, int, int] | None:
    """The heading of a release, and its name [start, end) in it, if a line below it says what is asked.

    `weight`: the inverse document frequency of a term.
    """
    asked = _ASKED.search(question)
    if asked is None:
        return None
    about = question[asked.end() :]
    if not terms(about):
        about = question[: asked.start()]
    by_number = {source.number: source for source in sources}
    for found in evidence[:_LOOKED_AT]:
        source = by_number.get(found.number)
        if source is None or not _tells(_without_names(about, source), found.text, weight):
            continue
        if heading := _heading_above(found, source.text):
            return heading
    return None


def may_be_release(question: str, text: str, start: int, end: int) -> bool:
    """Whether the span text[start:end] may name a release, where one is asked for: "Version 2", "in etch"."""
    if not asks_release(question):
        return True
    return bool(_WITHIN.search(text[start : end + 3]) or _BESIDE.search(text[max(start - 12, 0) : start]))


def _without_names(about: str, source: Source) -> str:
    """What is asked about, without the words that name its document, which the line need not repeat."""
    named = set(terms(" ".join(re.split(r"[\W_]+", source.document))))
    return " ".join(word for word in about.split() if not word[:1].isupper() or named.isdisjoint(terms(word)))


def _tells(about: str, text: str, weight: Callable[[str], float]) -> bool:
    """Whether a line has the words of what is asked and, if that asks for an end, says that something ended.

    A line that names a release itself, "will be removed in version 5.0", does not belong to the heading above it.
    """
    if _ends(about) is not _ends(text) or _NAMED.search(text):
        return False
    asked = list(dict.fromkeys(terms(_BEGAN.sub(" ", _ENDED.sub(" ", about)))))
    total = sum(map(weight, asked))
    held = set(terms(text))
    shared = [term for term in asked if holds(held, term) or has_synonym(term, held)]
    return total > 0 and sum(map(weight, shared)) >= _LEAST_HELD * total


def _ends(text: str) -> bool:
    """Whether a text says that something ended, or is not so."""
    return _ENDED.search(text) is not None or count_denials(text) % 2 == 1


def _heading_above(found: Evidence, text: str) -> tuple[Evidence, int, int] | None:
    """The next heading of a release above a sentence, in the text of its source."""
    at = text.find(found.text)
    lines = text[: max(at, 0)].splitlines()
    for line in reversed(lines[-_LINES_ABOVE:]):
        heading = _HEADING.match(line) if len(line) <= _MAX_LINE else None
        if heading and _DATED.fullmatch(heading["rest"]):
            return Evidence(found.number, line.strip(), ANSWERABLE), *_within(line, heading)
    return None


def _within(line: str, heading: re.Match[str]) -> tuple[int, int]:
    """The name of a release within its heading without the space around it."""
    moved = len(line) - len(line.lstrip())
    return heading.start("release") - moved, heading.end("release") - moved
