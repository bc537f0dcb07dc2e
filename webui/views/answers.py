"""The conversation: questions, sources, and answers with their citations as buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from rag.messages import Message
from rag.records import AnswerState, Citation, Sentence, Source
from webui.conversation import NO_SENTENCE, Exchange
from webui.session import Session
from webui.strings import Language, say
from webui.views.links import Link, link
from webui.views.reasons import sources_why
from webui.views.render import render
from webui.views.sentences import sentences_html
from webui.views.short import Short, repeats_rows, short_of, short_text
from webui.views.status import name_word

UNFOLDED_SOURCES = 4  # the others are behind one click
EXCERPT_CHARACTERS = 240

# Title and general reason of the states that show doubt, as keys of the page's strings.
_DOUBTS: Final = {
    AnswerState.CLOSEST: ("state_closest", "why_closest"),
    AnswerState.NONE: ("state_none", "why_none"),
}


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why an answer cannot be relied on, or why there is none."""

    state: AnswerState
    title: str  # "Closest found", "Not in these documents"
    reason: str


@dataclass(frozen=True, slots=True)
class _Turn:
    """One question and what became of it, as the page shows it."""

    id: int
    running: bool
    question: str
    understood: str  # the question as completed from the conversation; "" where it was asked that way
    searched: str  # the parts that were searched separately; "" where it was one question
    sources: list[Link]
    nearest: list[tuple[Link, str]]  # of a refusal: the best sources, each with an excerpt
    why: Markup  # why these sources were found
    error: Message | None
    reply: Message | None  # of the program itself, to a greeting and the like
    doubt: _Doubt | None  # None for an answer that is not in doubt
    refused: bool  # whether there is no answer but the nearest passages
    short: Short | None
    body: Markup | None  # the answer so far
    step: str  # what is going on before the first word
    facts: list[str]  # who answered, and how long it took
    copied: str  # the answer for the clipboard
    unfolded: int = UNFOLDED_SOURCES


def conversation_html(session: Session) -> Markup:
    """The last question and its answer, which is drawn again with each word; a welcome before the first."""
    language = session.language
    if not session.conversation.exchanges:
        return render("conversation.html", language, turn=None)
    last = session.conversation.branch[-1]
    return render("conversation.html", language, turn=_turn(last, session), spoken=_spoken(last, language))


def earlier_html(session: Session) -> Markup:
    """The questions before the last one, which stay as they are while it is answered."""
    turns = [_turn(exchange, session) for exchange in session.conversation.branch[:-1]]
    return render("earlier.html", session.language, turns=turns)


def _spoken(last: Exchange, language: Language) -> Message | str:
    """What a screen reader is told: the steps, not every word."""
    if last.running:
        return _step(last, language)
    return last.error or say(language, "stopped" if last.stopped else "answered")


def _turn(exchange: Exchange, session: Session) -> _Turn:
    language = session.language
    links = [link(source, exchange, NO_SENTENCE, session) for source in exchange.sources]
    doubt = _doubt(exchange, language)
    refused = doubt is not None and doubt.state is AnswerState.NONE
    excerpts = [_excerpt(source) for source in exchange.sources[:UNFOLDED_SOURCES]] if refused else []
    return _Turn(
        id=exchange.id,
        running=exchange.running,
        question=exchange.question,
        understood=_understood(exchange),
        searched=_searched(exchange, language),
        sources=links,
        nearest=list(zip(links, excerpts, strict=False)),
        why=sources_why(exchange.sources, language),
        error=exchange.error,
        reply=exchange.answer.reply if exchange.answer else None,
        doubt=doubt,
        refused=refused,
        short=short_of(exchange, session),
        body=_body(exchange, session),
        step=_step(exchange, language),
        facts=_facts(exchange, language),
        copied=_copied(exchange, language),
    )


def _body(exchange: Exchange, session: Session) -> Markup | None:
    """The answer so far, without sentences that only repeat the rows of its short answer."""
    answer = exchange.answer
    repeated = answer is not None and repeats_rows(answer.short, answer.sentences)
    return None if repeated else sentences_html(exchange, session)


def _understood(exchange: Exchange) -> str:
    query = exchange.found.query.strip() if exchange.found else ""
    return "" if query == exchange.question.strip() else query


def _searched(exchange: Exchange, language: Language) -> str:
    parts = exchange.found.parts if exchange.found else ()
    return say(language, "searched_parts", parts=" · ".join(parts)) if parts else ""


def _doubt(exchange: Exchange, language: Language) -> _Doubt | None:
    """What is in doubt about a finished answer, worded for the person."""
    answer = exchange.answer
    if answer is None or answer.reply or answer.state is AnswerState.ANSWER:
        return None
    title_key, reason_key = _DOUBTS[answer.state]
    title = say(language, title_key)
    if answer.state is AnswerState.NONE and (words := exchange.bare_answer()):
        return _Doubt(answer.state, title, words)
    if answer.missing:
        return _Doubt(answer.state, title, say(language, "missing", names=", ".join(answer.missing)))
    return _Doubt(answer.state, title, say(language, reason_key))


def _step(exchange: Exchange, language: Language) -> str:
    if exchange.found is None:
        return say(language, "searching")
    return say(language, "reading_sources", n=len(exchange.sources))


def _excerpt(source: Source) -> str:
    """The beginning of the retrieved passage."""
    text = " ".join(source.passage_text.split())
    return text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS].rstrip() + "…"


def _facts(exchange: Exchange, language: Language) -> list[str]:
    """Who answered, how long it took, and whether it was stopped."""
    facts, answer = [], exchange.answer
    if answer is not None:
        facts.append(name_word(answer.reader, language))
        if answer.seconds > 0:
            facts.append(say(language, "took", seconds=f"{answer.seconds:.1f}"))
    if exchange.stopped or (answer is not None and answer.stopped):
        facts.append(say(language, "stopped"))
    return [fact for fact in facts if fact]


def _copied(exchange: Exchange, language: Language) -> str:
    """The answer with its marks, the short answer first, and below it the sources that it cites."""
    answer = exchange.answer
    short = answer.short if answer else None
    citations = [*(short.citations if short else ()), *_citations_of(answer.sentences if answer else ())]
    cited = {citation.number for citation in citations}
    lines = [
        f"[{source.number}] {source.document}, {say(language, 'page', label=source.page_label)}"
        for source in exchange.sources
        if source.number in cited
    ]
    doubt = _doubt(exchange, language)
    warning = f"{doubt.title}: {doubt.reason}" if doubt and doubt.state is AnswerState.CLOSEST else ""
    parts = [warning, short_text(short, language) if short and not doubt else "", exchange.cited_answer()]
    text = "\n\n".join(part for part in parts if part)
    return "\n\n".join(part for part in (text, "\n".join(lines)) if part) if text else ""


def _citations_of(sentences: Sequence[Sentence]) -> list[Citation]:
    return [citation for sentence in sentences for citation in sentence.citations]
