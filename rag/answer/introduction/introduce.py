"""Makes the introduction to a document: its key sentences, and questions that were asked and answered well.

Each candidate question is asked about the document alone, and suggested only if the answer is not in doubt and is where
the candidate was found.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import zip_longest
from typing import Final, TypeVar

from rag.answer.answering import Answerer
from rag.answer.asked import Asked
from rag.answer.claims.dates import FULL_MONTH
from rag.answer.introduction.candidates import Candidate, from_headings, from_tables, lowered, survey
from rag.answer.introduction.record import Introduction, KeySentence
from rag.answer.quote import QuoteReader
from rag.answer.summary.profile import NUMBERED_HEADING, is_statement, profile_of, statements
from rag.answer.summary.summary import key_sentences
from rag.errors import AskError
from rag.index.protocols import Scope
from rag.language import mainly_chinese
from rag.reader import Sampling
from rag.records import Answer, AnswerState, Document, DocumentDetails, Found, Source
from rag.settings import Settings
from rag.store.database import Store
from rag.store.rows import StoredPage, StoredPassage

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
SENTENCES: Final = 3
QUESTIONS: Final = 3
MAX_CANDIDATES: Final = 6  # of tables, of sentences and of headings, that are asked
SURVEY_SECONDS: Final = 10.0
ASKING_SECONDS: Final = 30.0  # for all candidates of a document
_PAUSE_SECONDS: Final = 0.05  # between questions, so that people's questions come first

_YES_NO: Final = ("Yes", "No", "是", "否", "有", "没有")

_Item = TypeVar("_Item")


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


def introduce(
    store: Store, answerer: Answerer, document: Document, settings: Settings, stop: threading.Event
) -> Introduction:
    """The introduction to a document. Whatever there was no time for is left out."""
    found = survey(_pages(store, document), SURVEY_SECONDS, stop.is_set)
    rows = store.document_passages(document.owner, document.id)
    details = store.document_details(document.owner, document.id)
    chinese = found.languages[:1] == ("zh",)
    profile = profile_of(document, (), [row.passage for row in rows], 0, chinese=chinese)
    sentences = key_sentences(store, document, SENTENCES, settings.answering.summary)
    kinds = (
        from_tables(found.tables),
        list(from_sentences(rows)),
        _spread(list(from_headings(_headings(details, rows)))),
    )
    candidates = _by_language(_in_turn(*(_by_language(kind)[:MAX_CANDIDATES] for kind in kinds)))
    return Introduction(
        title=profile.title,
        kind=profile.kind,
        languages=found.languages,
        tables=len(found.tables) if found.complete else None,
        sentences=tuple(KeySentence(text, page) for text, page in sentences),
        questions=tuple(_answered(answerer, document, candidates, stop)),
    )


def _pages(store: Store, document: Document) -> Iterator[StoredPage]:
    for number in range(document.pages):
        yield from store.pages(document.owner, document.id, number, number)


def _headings(details: DocumentDetails | None, rows: Sequence[StoredPassage]) -> list[tuple[str, int]]:
    """Titles of the outline with their pages, else headings that are a line of their own in the text."""
    outline = [(entry.title, entry.page) for entry in details.outline if entry.level <= 2] if details else []
    if len(outline) > 2:
        return outline
    pages: dict[str, int] = {}
    for row in rows:
        above = set(row.passage.heading)
        for line in map(str.strip, row.passage.text.split("\n")):
            if line in above or NUMBERED_HEADING.fullmatch(line) or (line.endswith(("?", "？")) and len(line) < 40):
                pages.setdefault(line, row.passage.first_page)
    return list(pages.items())


def _spread(items: list[_Item]) -> list[_Item]:
    """The items in another order: the first of each quarter, then the second of each, and so on."""
    step = max(len(items) // 4, 1)
    return [item for start in range(step) for item in items[start::step]]


def _by_language(candidates: Sequence[Candidate]) -> list[Candidate]:
    """English and Chinese questions in turn, if there are both."""
    chinese = [one for one in candidates if mainly_chinese(one.question)]
    return _in_turn([one for one in candidates if not mainly_chinese(one.question)], chinese)


def _in_turn(*lists: Sequence[_Item]) -> list[_Item]:
    return [item for items in zip_longest(*lists) for item in items if item is not None]


def _answered(
    answerer: Answerer, document: Document, candidates: Sequence[Candidate], stop: threading.Event
) -> Iterator[str]:
    """The questions that get a good answer, until there are enough of them or the time is up."""
    end = time.monotonic() + ASKING_SECONDS
    subjects: set[str] = set()
    for candidate in candidates:
        if len(subjects) == QUESTIONS or stop.is_set() or time.monotonic() > end:
            return
        if candidate.subject in subjects:
            continue
        time.sleep(_PAUSE_SECONDS)
        if _is_answered(answerer, document, candidate, stop):
            subjects.add(candidate.subject)
            yield candidate.question


def _is_answered(answerer: Answerer, document: Document, candidate: Candidate, stop: threading.Event) -> bool:
    """Whether a question gets an answer that is not in doubt and is in the right place."""
    asked = Asked(candidate.question, Scope(document.owner, frozenset((document.id,))))
    sources: dict[int, Source] = {}
    answer: Answer | None = None
    try:
        for event in answerer.answer(asked, QuoteReader(), Sampling(), stop):
            if isinstance(event, Found):
                sources = {source.number: source for source in event.sources}
            elif isinstance(event, Answer):
                answer = event
    except AskError:
        return False
    if answer is None or answer.state is not AnswerState.ANSWER:
        return False
    return _has_value(answer, candidate.value) if candidate.value else _tells(answer, sources, candidate.pages)


def _has_value(answer: Answer, value: str) -> bool:
    """Whether the short answer, or without one the first sentence, holds the value asked for."""
    short = answer.short
    if short is None:
        return any(value in sentence.text for sentence in answer.sentences[:1])
    if not short.sure:
        return False
    given = short.values[0]
    same = _digits(given) == _digits(value) if any(map(str.isdigit, value)) else False
    return same or value in given or given in value


def _tells(answer: Answer, sources: Mapping[int, Source], pages: Set[int]) -> bool:
    """Whether an answer starts with a statement on one of the pages, and has no short answer."""
    if answer.short and answer.short.values[0] not in _YES_NO:
        return False
    for sentence in [one for one in answer.sentences if one.text.strip()][:1]:
        cited = [sources[one.number] for one in sentence.citations if one.number in sources]
        on = {page for source in cited for page in range(source.first_page, source.last_page + 1)}
        return is_statement(sentence.text.strip()) and bool(on & pages)
    return False


def _digits(text: str) -> str:
    return re.sub(r"[^\d.]", "", text).strip(".")
