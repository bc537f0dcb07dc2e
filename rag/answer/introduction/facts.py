"""Questions for facts that a sentence states: "The lease begins on 1 October" -> "When does the lease begin?"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rag.answer.claims.dates import FULL_MONTH
from rag.answer.introduction.candidates import Candidate, lowered
from rag.answer.summary.prose import statements
from rag.language import mainly_chinese
from rag.store.rows import StoredPassage

_DATE: Final = rf"(?:\d{{1,2}} )?(?:{FULL_MONTH})(?: \d{{1,2}},?)?(?: \d{{4}})?|(?:19|20)\d\d|1[5-8]\d\d"
_THING: Final = r"(?P<thing>(?:The |Our |[A-Z][\w&’'-]+ )(?:[\w&’'-]+ ){0,4}?)"
_QUANTITY: Final = (
    r"(?P<value>(?:[$€£¥]\s?|about |EUR )?\d[\d,.]*\d?(?: ?(?:%|percent|million|billion|[a-z°²³]{1,10}))?)"
)
# Sentences, and the questions they answer.
_ENGLISH: Final = tuple(
    (re.compile("^" + pattern), question)
    for pattern, question in (
        (
            rf"{_THING}(?P<be>was|were) (?:first |originally )?(?P<done>founded|opened|built|established|incorporated"
            rf"|completed|launched|formed|created) (?:in [A-Z]\w+ )?(?:in|on) (?P<value>{_DATE})\b",
            "When {be} {thing} {done}?",
        ),
        (
            rf"{_THING}(?P<verb>begin|start|end|open|close|expire)s (?:on|in|at) (?P<value>{_DATE})\b",
            "When does {thing} {verb}?",
        ),
        (rf"{_THING}(?P<be>is|was) {_QUANTITY}(?=[\s,.;])", "What {be} {thing}?"),
        (
            rf"{_THING}(?P<be>was|were) (?P<done>founded|built|designed|written|developed|supplied|owned|operated) by"
            r" (?P<value>(?:the )?[A-Z][\w.&’'-]+(?: [A-Z][\w.&’'-]+)*)",
            "Who {done} {thing}?",
        ),
    )
)
_HAN_THING: Final = r"(?P<thing>[\u4e00-\u9fffA-Za-z]{2,12})"
_CHINESE: Final = tuple(
    (re.compile("^" + pattern), question)
    for pattern, question in (
        (
            rf"{_HAN_THING}(?P<done>成立|建成|创立|开放|始建|创办|落成)于(?P<value>\d{{4}}年)",
            "{thing}是哪一年{done}的？",
        ),
        (rf"{_HAN_THING}(?:为|是|共|达到|保持在)(?P<value>\d[\d,.]*[\u4e00-\u9fff%]{{1,4}})", "{thing}是多少？"),
        (rf"{_HAN_THING}位于(?P<value>[\u4e00-\u9fff\d]{{3,24}})", "{thing}在哪里？"),
    )
)
_NO_THING: Final = re.compile(
    r"^(?:Although|Not|Included|Including|Because|While|Since|Also|However|Under|During|After|Before|Both)\b"
    r"|^The (?!company|group|lease|agreement|contract|policy|library|bank|hotel|university|city|bridge)\w+$"
    r"|^(?:It|He|She|They|We|You|There|This|That|These|Those|What|Which|If|When|In|On|At|As|For|By|Each|All|Both|Note"
    r"|Figure|Table|Item|Page|Our|The (?:following|above|former|latter|same|other|aim|result|remainder|balance))\b"
    r"|^(?:其|它|该|此|这|那|本|其中|目前|同时|年|公司$)|\b(?:of|in|and|which|that|who|not|ended)\s*$",
    re.IGNORECASE,
)


def from_sentences(rows: Iterable[StoredPassage]) -> Iterator[Candidate]:
    """Questions for the facts that passages state, in reading order."""
    for row in rows:
        for sentence in statements(row.passage.text):
            for pattern, question in _CHINESE if mainly_chinese(sentence) else _ENGLISH:
                match = pattern.match(sentence)
                thing = match["thing"].strip() if match else ""
                if match is None or _NO_THING.search(thing):
                    continue
                words = {**match.groupdict(), "thing": lowered(thing) if thing.startswith("The ") else thing}
                pages = frozenset(range(row.passage.first_page, row.passage.last_page + 1))
                yield Candidate(question.format(**words), pages, match["value"], thing.casefold())
                break
