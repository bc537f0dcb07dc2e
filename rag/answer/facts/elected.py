"""Who was elected to the board of the company of a document: the names in the table of votes, or in a sentence.

Reports on a shareholder meeting give the votes for each nominee, a row each; other reports say in a sentence that the
board elected or appointed somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rag.answer.facts.search import PageText, Place, Stated
from rag.answer.phrases.elections import tells_of_directors
from rag.answer.phrases.offices import NAME, is_name
from rag.answer.sentences import sentence_spans

WORDS: Final = (
    "who whom elect elected re-elected reelected appoint appointed nominated named join joined voted vote board boards"
    " director directors shareholder shareholders stockholder stockholders meeting annual member members new person"
    " people nominee nominees recently 当选 获选 被选 入选 被任命 董事会 董事 成员 股东大会 进入"
)
_NAME: Final = r"[A-Z][\w’'-]*\.?(?: [A-Z][\w’'-]*\.?){1,4}(?:,? (?:Jr|Sr|II|III|IV|Ph\.?D|M\.?D)\.?)?"
_ROW: Final = re.compile(rf"^\W{{0,4}}(?P<name>{_NAME})(?P<votes>(?:\s{{1,3}}\d{{1,3}}(?:,\d{{3}})+){{1,4}})\b")
_NO_PERSON: Final = re.compile(
    r"\b(?:votes?|broker|against|for|withheld|abstain\w*|total|year|shares?|stock|company)\b", re.IGNORECASE
)
_HEADER: Final = re.compile(
    r"\bfor\b.{0,80}\b(?:against|withh[eo]ld|abstain|abstentions?)\b", re.IGNORECASE | re.DOTALL
)
_ELECTION: Final = re.compile(
    r"\belect(?:ion|ed)?\b.{0,200}\b(?:directors?|board|nominees)\b", re.IGNORECASE | re.DOTALL
)
_ELECTED: Final = re.compile(r"\b(?:re-?)?elected\b", re.IGNORECASE)
_BEFORE: Final = 1_200  # characters before a table of votes that say what was voted on
_TITLE: Final = r"(?:(?:Mr|Ms|Mrs|Dr)\. )?"
_IN_SENTENCE: Final = (
    re.compile(rf"\b(?:[Bb]oard(?: of [Dd]irectors)?|[Ss](?:hare|tock)holders|[Cc]ompany)"
               rf"(?: has| have)?(?: also)? (?:re-)?(?:elected|appointed) {_TITLE}(?P<name>{NAME})"),
    re.compile(rf"{_TITLE}(?P<name>{NAME}),? (?:was|has been|had been) (?:re-)?(?:elected|appointed) "
               r"(?:to (?:the|its|our|\w+[’']s) (?:\w+ ){0,2}[Bb]oard\b|(?:as )?(?:an? )?(?:\w+ ){0,2}director\b)"),
)  # fmt: skip
_OFFICE: Final = re.compile(
    r"(?:,? (?:as|to be|to serve as|to the (?:position|office|role) of))? (?:(?:its|our|the) )?(?:\w+ ){0,3}"
    r"(?:officer|president|chief|chair|chairman|secretary|treasurer|controller)\b",
    re.IGNORECASE,
)
_MAX_SENTENCE: Final = 800  # characters
_GAP: Final = 200  # characters without a row, after which a table has ended
_MOST: Final = 3  # sentences that are shown


def find_elected(pages: Sequence[PageText]) -> Stated | None:
    """The nominees with more votes for than against, else who a sentence says was elected; None if neither is there."""
    for page in pages:
        names = tuple(_voted_for(page))
        if names:
            told = _said_to_be_elected(page, names[-1].end)
            return Stated(tuple(name.text for name in names), names, (told or names[0],), certain=told is not None)
    told_of = {name.text: (name, sentence) for page in reversed(pages) for name, sentence in _told(page)}
    if not told_of:
        return None
    found = list(reversed(told_of.values()))
    return Stated(
        tuple(name.text for name, _ in found), tuple(name for name, _ in found), tuple(one for _, one in found[:_MOST])
    )


def _voted_for(page: PageText) -> Iterator[Place]:
    """The names in the first table of votes on an election of directors."""
    if not _ELECTION.search(page.text):
        return
    at, last = 0, -1
    for line in page.text.splitlines(keepends=True):
        row = _ROW.match(line)
        if row and not _NO_PERSON.search(row["name"]) and (last >= 0 or _is_election(page.text[:at])):
            last = at
            votes = [int(one.replace(",", "")) for one in row["votes"].split()]
            if len(votes) < 2 or votes[0] > votes[1]:
                yield Place(page, at + row.start("name"), at + row.end("name"))
        elif last >= 0 and at - last > _GAP:
            return
        at += len(line)


def _is_election(before: str) -> bool:
    """Whether what stands before a row says that it is of votes, and that they are on an election."""
    before = before[-_BEFORE:]
    return _HEADER.search(before) is not None and _ELECTION.search(before) is not None


def _said_to_be_elected(page: PageText, after: int) -> Place | None:
    """The first sentence after the table that says so, else one before it."""
    spans = [span for span in sentence_spans(page.text) if _ELECTED.search(page.text, *span)]
    later = [span for span in spans if span[0] >= after]
    return Place(page, *(later or spans)[0]) if spans else None


def _told(page: PageText) -> Iterator[tuple[Place, Place]]:
    """Each name that a sentence says was elected, and the sentence."""
    if not tells_of_directors(page.text):
        return
    for start, end in sentence_spans(page.text):
        text = page.text[start : min(end, start + _MAX_SENTENCE)]
        for pattern in _IN_SENTENCE:
            for match in pattern.finditer(text) if tells_of_directors(text) else ():
                if is_name(match["name"]) and not _OFFICE.match(text, match.end()):
                    yield Place(page, start + match.start("name"), start + match.end("name")), Place(page, start, end)
