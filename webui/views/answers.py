"""The conversation: questions, sources, and answers with their citations as buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.records import AnswerState, Citation, Sentence, ShortAnswer, Source
from webui.conversation import FIRST_SHORT, NO_SENTENCE, Exchange
from webui.session import Session
from webui.strings import Language, say
from webui.views.markup import (
    append_placeholders,
    citations_to_placeholders,
    fences,
    placeholder,
    remove_placeholders,
    to_html,
)
from webui.views.reasons import sources_why
from webui.views.render import render
from webui.views.status import name_word

UNFOLDED_SOURCES = 4  # the others are behind one click
EXCERPT_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class _Link:
    """A button that opens a source."""

    exchange: int
    sentence: int  # index of the one that cites it, or as in `webui.conversation`
    number: int
    document: str
    page: str  # "p. 12"
    label: str
    open: bool  # whether the viewer shows it


@dataclass(frozen=True, slots=True)
class _Short:
    """The value, or the values, that an answer begins with."""

    value: str  # "$211,915 million"
    labels: str  # "Total revenue · 2023"
    formula: str
    links: list[_Link]  # one per cell


@dataclass(frozen=True, slots=True)
class _Turn:
    """One question and what became of it, as the page shows it."""

    id: int
    running: bool
    question: str
    searched: str  # what was searched for; "" where that is the question itself
    sources: list[_Link]
    nearest: list[tuple[_Link, str]]  # of a refusal: the best sources, each with an excerpt
    why: Markup  # why these sources were found
    error: Message | None
    refusal: str | None  # the words of a refusal; None if it is none
    short: _Short | None
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
    last = session.conversation.exchanges[-1]
    return render("conversation.html", language, turn=_turn(last, session), spoken=_spoken(last, language))


def earlier_html(session: Session) -> Markup:
    """The questions before the last one, which stay as they are while it is answered."""
    turns = [_turn(exchange, session) for exchange in session.conversation.exchanges[:-1]]
    return render("earlier.html", session.language, turns=turns)


def _spoken(last: Exchange, language: Language) -> Message | str:
    """What a screen reader is told: the steps, not every word."""
    if last.running:
        return _step(last, language)
    return last.error or say(language, "stopped" if last.stopped else "answered")


def _turn(exchange: Exchange, session: Session) -> _Turn:
    language = session.language
    links = [_link(source, exchange, NO_SENTENCE, session) for source in exchange.sources]
    refusal = _refusal(exchange, language)
    excerpts = [] if refusal is None else [_excerpt(source) for source in exchange.sources[:UNFOLDED_SOURCES]]
    return _Turn(
        id=exchange.id,
        running=exchange.running,
        question=exchange.question,
        searched=_searched(exchange, language),
        sources=links,
        nearest=list(zip(links, excerpts, strict=False)),
        why=sources_why(exchange.sources, language),
        error=exchange.error,
        refusal=refusal,
        short=_short(exchange, session),
        body=_body(exchange, session),
        step=_step(exchange, language),
        facts=_facts(exchange, language),
        copied=_copied(exchange, language),
    )


def _searched(exchange: Exchange, language: Language) -> str:
    found = exchange.found
    if found and found.parts:
        return say(language, "searched_parts", parts=" · ".join(found.parts))
    if found and found.query.strip() != exchange.question.strip():
        return say(language, "searched_for", query=found.query)
    return ""


def _refusal(exchange: Exchange, language: Language) -> str | None:
    if exchange.answer is None or exchange.answer.state is not AnswerState.NONE:
        return None
    words = "".join(sentence.lead + sentence.text for sentence in exchange.answer.sentences).strip()
    return words or say(language, "refused")


def _step(exchange: Exchange, language: Language) -> str:
    if exchange.found is None:
        return say(language, "searching")
    return say(language, "reading_sources", n=len(exchange.sources))


def _short(exchange: Exchange, session: Session) -> _Short | None:
    short = exchange.answer.short if exchange.answer else None
    if short is None:
        return None
    cited = [(place, exchange.source(citation.number)) for place, citation in enumerate(short.citations)]
    return _Short(
        value=_with_scale(short, session.language),
        labels=" · ".join(short.labels),
        formula=short.formula,
        links=[_link(source, exchange, FIRST_SHORT - place, session) for place, source in cited if source],
    )


def _with_scale(short: ShortAnswer, language: Language) -> str:
    """The values with their scale: "$1,577 million; $1,373 million"."""
    if not short.scale or (short.scale == "percent" and all("%" in value for value in short.values)):
        return "; ".join(short.values)
    key = "scale_" + short.scale.replace(" ", "_")
    return "; ".join(say(language, key, value=value) for value in short.values)


def _body(exchange: Exchange, session: Session) -> Markup | None:
    if exchange.answer is not None:
        return _finished(exchange, exchange.answer.sentences, session)
    return _streamed(exchange, session) if exchange.text else None


def _streamed(exchange: Exchange, session: Session) -> Markup:
    """The answer so far, with the marks that the reader wrote as buttons."""
    by_number = {source.number: source for source in exchange.sources}

    def place(number: int) -> Markup:
        if number not in by_number:
            return Markup()
        links = [_link(by_number[number], exchange, NO_SENTENCE, session)]
        return render("citations.html", session.language, links=links)

    text = citations_to_placeholders(exchange.text, len(exchange.sources))
    return to_html(text, place, plain=exchange.is_plain_text)


def _finished(exchange: Exchange, sentences: Sequence[Sentence], session: Session) -> Markup:
    """The sentences, each followed by its checked citations, or by a remark where there is none."""
    by_number = {source.number: source for source in exchange.sources}

    def place(index: int) -> Markup:
        sentence = sentences[index]
        cited = [by_number[citation.number] for citation in sentence.citations if citation.number in by_number]
        if not cited and not _states_something(sentence):
            return Markup()
        links = [_link(source, exchange, index, session) for source in cited]
        return render("citations.html", session.language, links=links)

    plain = exchange.is_plain_text
    return to_html(_with_placeholders(sentences, plain), place, plain=plain)


def _states_something(sentence: Sentence) -> bool:
    """Whether a sentence needs a source: a heading, a bare dash and the line before a list do not."""
    text = sentence.text.strip()
    return len(text) >= 2 and not text.startswith("#") and not text.endswith((":", "："))


def _with_placeholders(sentences: Sequence[Sentence], plain: bool) -> str:
    """The sentences joined, each followed by the placeholder of its index, except in code, where it would be code."""
    pieces = [remove_placeholders(sentence.lead) + remove_placeholders(sentence.text) for sentence in sentences]
    blocks = [] if plain else fences("".join(pieces))
    joined, end = "", 0
    for index, piece in enumerate(pieces):
        end += len(piece)
        in_code = any(first < end <= last for first, last in blocks)
        joined += piece if in_code else append_placeholders(piece, placeholder(index))
    return joined


def _link(source: Source, exchange: Exchange, sentence: int, session: Session) -> _Link:
    language, opened = session.language, session.opened
    return _Link(
        exchange=exchange.id,
        sentence=sentence,
        number=source.number,
        document=source.document,
        page=say(language, "page", label=source.page_label),
        label=say(language, "open_source", n=source.number, document=source.document, label=source.page_label),
        open=opened is not None and opened.source == source,
    )


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
    parts = [_short_text(short, language) if short else "", exchange.cited_answer()]
    text = "\n\n".join(part for part in parts if part)
    return "\n\n".join(part for part in (text, "\n".join(lines)) if part) if text else ""


def _short_text(short: ShortAnswer, language: Language) -> str:
    """A short answer in one line: "$197 million (Total revenue · 2022) [1]"."""
    labels = " · ".join(short.labels)
    formula = f" = {short.formula}" if short.formula else ""
    numbers = dict.fromkeys(citation.number for citation in short.citations)
    marks = "".join(f"[{number}]" for number in numbers)
    return f"{_with_scale(short, language)}{formula}{f' ({labels})' if labels else ''} {marks}".strip()


def _citations_of(sentences: Sequence[Sentence]) -> list[Citation]:
    return [citation for sentence in sentences for citation in sentence.citations]
