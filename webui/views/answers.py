"""The conversation: questions, sources, and answers with their citations as buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rag.answer.quote import QuoteReader
from rag.evaluation.ratings import MAX_REASON_CHARACTERS
from rag.messages import Message
from rag.records import AnswerState, Citation, Sentence, Source
from webui.actions.turns import can_be_rated
from webui.conversation import NO_SENTENCE, Exchange
from webui.session import Session
from webui.strings import Language, say
from webui.views.doubts import Doubt, doubt_of, unread_names
from webui.views.links import Link, export_links, link
from webui.views.markup import space_bullets
from webui.views.names import shown_name
from webui.views.reasons import sources_why
from webui.views.render import render
from webui.views.sentences import sentences_html
from webui.views.short import Short, repeats_list, repeats_rows, short_of, short_text
from webui.views.status import name_word

UNFOLDED_SOURCES = 4  # the rest are behind one click
MOST_SOURCES = 100  # sources listed, whether cited or not
EXCERPT_CHARACTERS = 240
MAX_WORD = 20  # characters; a longer one is cut at the end of an excerpt


@dataclass(frozen=True, slots=True)
class _Variants:
    """Which of several versions of a question is shown."""

    number: int  # from 1
    count: int
    before: int | None  # id of the previous one, None for the first
    after: int | None


@dataclass(frozen=True, slots=True)
class _Turn:
    """A question and what became of it, as the page shows it."""

    id: int
    running: bool
    question: str
    understood: str  # the question as completed from the conversation; "" if it was not changed
    searched: str  # the parts that were searched separately; "" if there was only one
    sources: list[Link]
    nearest: list[tuple[Link, str]]  # for a refusal: the best sources, each with an excerpt
    why: Markup  # why these sources were found
    reading: str  # what the model read: "used 31 of 40 sources, 27,412 of 32,768 tokens"; "" without one
    prompt: str | None  # the prompt word for word, if it is to be shown
    variants: _Variants | None  # None if it was asked only once
    documents: list[tuple[str, str]]  # id and name, if the sources are from several
    only: str  # name of the only document asked; "" for those ticked
    offers_quotes: bool  # whether quotes can replace the model's answer
    quoted_instead: bool  # whether they have
    error: Message | None
    reply: Message | None  # the program's own reply, to a greeting and the like
    cut: Message | None  # why the answer is incomplete
    unread: str  # names of files that were still being read when this was asked; "" if there were none
    doubt: Doubt | None  # None if the answer is not in doubt
    refused: bool  # whether there are only the closest passages and no answer
    short: Short | None
    body: Markup | None  # the answer so far
    step: str  # what is happening before the first word
    facts: list[str]  # who answered, and how long it took
    copied: str  # the answer for the clipboard
    footnoted: str  # the same, with its citations as footnotes
    exports: list[tuple[str, str]]  # address and name of each export format
    can_be_rated: bool
    helpful: bool | None
    reason: str
    reason_characters: int = MAX_REASON_CHARACTERS
    unfolded: int = UNFOLDED_SOURCES


def conversation_html(session: Session) -> Markup:
    """The last question and its answer, redrawn with each word; a welcome before the first question."""
    language = session.language
    if not session.conversation.exchanges:
        return render("conversation.html", language, turn=None)
    last = session.shown[-1]
    next_ones = () if last.running else last.follow_ups
    return render(
        "conversation.html",
        language,
        turn=_turn(last, session),
        drawing=0,
        follow_ups=next_ones,
        spoken=_spoken(last, language),
    )


def earlier_html(session: Session) -> Markup:
    """The questions before the last one, which do not change while it is answered.

    Turns that the page already has are only named.
    """
    exchanges = session.shown[:-1]
    turns = [_earlier_turn(exchange, session) for exchange in exchanges]
    session.drawn_turns.keep_only({exchange.id for exchange in exchanges})
    return render("earlier.html", session.language, turns=turns, more=session.has_earlier)


def _earlier_turn(exchange: Exchange, session: Session) -> Markup:
    """A turn before the last one; only a placeholder if the page already shows it."""
    drawing = session.drawn_turns.draw(exchange, _circumstances(exchange, session))
    if drawing.sent:
        return render("earlier_turn.html", session.language, exchange=exchange, drawing=drawing.number)
    turn = _turn(exchange, session)
    return render("turn.html", session.language, turn=turn, drawing=drawing.number, follow_ups=())


def _circumstances(exchange: Exchange, session: Session) -> tuple[Any, ...]:
    """Everything besides the exchange that the drawing of a finished turn depends on."""
    opened = session.opened.source if session.opened else None
    return (
        session.language,
        [session.titles.get(source.document_id) for source in exchange.sources],
        opened if opened in exchange.sources else None,
        exchange.id in session.prompts,
        session.conversation.variants(exchange.id),
    )


def _spoken(last: Exchange, language: Language) -> Message | str:
    """What a screen reader is told: the steps, not every word."""
    if last.running:
        return _step(last, language)
    return last.error or say(language, "stopped" if last.stopped else "answered")


def _turn(exchange: Exchange, session: Session) -> _Turn:
    language = session.language
    links = [link(source, exchange, NO_SENTENCE, session) for source in _listed(exchange)]
    doubt = doubt_of(exchange, language)
    refused = doubt is not None and doubt.state is AnswerState.NONE
    has_model = exchange.reader not in ("", QuoteReader.name)
    excerpts = [_excerpt(source) for source in exchange.sources[:UNFOLDED_SOURCES]] if refused else []
    return _Turn(
        id=exchange.id,
        running=exchange.running,
        question=exchange.question,
        understood=_understood(exchange),
        searched=_searched(exchange, language),
        sources=links,
        nearest=list(zip(links, excerpts, strict=False)),
        why=sources_why(exchange.sources, language, session.titles),
        reading="" if _reads(exchange) else _reading(exchange, language),  # until then, the step is
        prompt=exchange.reading.prompt if exchange.reading and exchange.id in session.prompts else None,
        variants=_variants(exchange, session),
        documents=_documents(exchange, session),
        only=_only(exchange, session),
        offers_quotes=has_model and not exchange.options.quotes,
        quoted_instead=exchange.options.quotes and has_model,
        error=exchange.error,
        reply=exchange.answer.reply if exchange.answer else None,
        cut=exchange.answer.cut if exchange.answer else None,
        unread=unread_names(exchange),
        doubt=doubt,
        refused=refused,
        short=short_of(exchange, session),
        body=_body(exchange, session),
        step=_step(exchange, language),
        facts=_facts(exchange, language),
        copied=copied(exchange, language),
        footnoted=footnoted(exchange, language),
        exports=export_links(exchange, session),
        can_be_rated=can_be_rated(exchange),
        helpful=exchange.helpful,
        reason=exchange.reason,
    )


def _listed(exchange: Exchange) -> list[Source]:
    """The sources to list. Of a whole document: the first ones, and those that the answer cites."""
    if len(exchange.sources) <= MOST_SOURCES:
        return list(exchange.sources)
    sentences = exchange.answer.sentences if exchange.answer else exchange.checked
    cited = {citation.number for sentence in sentences for citation in sentence.citations}
    return [source for n, source in enumerate(exchange.sources) if n < UNFOLDED_SOURCES or source.number in cited]


def _variants(exchange: Exchange, session: Session) -> _Variants | None:
    ids = session.conversation.variants(exchange.id)
    if len(ids) < 2:
        return None
    at = ids.index(exchange.id)
    return _Variants(at + 1, len(ids), ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None)


def _documents(exchange: Exchange, session: Session) -> list[tuple[str, str]]:
    """The documents among the sources, if there are several."""
    names = {source.document_id: shown_name(source, session.titles) for source in exchange.sources}
    return list(names.items()) if len(names) > 1 else []


def _only(exchange: Exchange, session: Session) -> str:
    names = (shown_name(source, session.titles) for source in exchange.sources if source.document_id == exchange.only)
    return next(names, "")


def _body(exchange: Exchange, session: Session) -> Markup | None:
    """The answer so far, without sentences that only repeat the rows or the list of its short answer."""
    answer = exchange.answer
    repeated = answer is not None and (repeats_rows(answer) or repeats_list(answer))
    return None if repeated else sentences_html(exchange, session)


def _understood(exchange: Exchange) -> str:
    query = exchange.found.query.strip() if exchange.found else ""
    return "" if query == exchange.question.strip() else query


def _searched(exchange: Exchange, language: Language) -> str:
    parts = exchange.found.parts if exchange.found else ()
    return say(language, "searched_parts", parts=" · ".join(parts)) if parts else ""


def _step(exchange: Exchange, language: Language) -> str:
    if exchange.waiting:
        return say(language, "next_in_queue" if exchange.waiting == 1 else "in_queue", n=exchange.waiting - 1)
    if exchange.found is None:
        return say(language, "searching")
    return _reading(exchange, language) or say(language, "reading_sources", n=len(exchange.sources))


def _reads(exchange: Exchange) -> bool:
    return exchange.running and not exchange.text


def _reading(exchange: Exchange, language: Language) -> str:
    """What the model is reading or has read; "" if there is no model, or it has not begun."""
    reading = exchange.reading
    if reading is None:
        return ""
    reads = _reads(exchange)
    if reading.parts == 1:
        key = "reading_some" if reads else "read_some"
    elif reading.part:
        key = "reading_part" if reads else "read_part"
    else:
        key = "reading_notes" if reads else "read_parts"
    tokens, context = f"{reading.tokens:,}", f"{reading.context:,}"
    read = say(
        language, key, used=reading.sources, found=reading.found, tokens=tokens, context=context,
        part=reading.part, parts=reading.parts,
    )  # fmt: skip
    known = reading.cached_tokens if key == "read_some" else 0
    return say(language, "read_before", read=read, known=f"{known:,}") if known else read


def _excerpt(source: Source) -> str:
    """The beginning of the retrieved passage."""
    text = " ".join(space_bullets(source.passage_text).split())
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    start = text[:EXCERPT_CHARACTERS]
    words, space, rest = start.rpartition(" ")
    whole = space and len(rest) <= MAX_WORD  # Chinese has no spaces, so it may be cut anywhere
    return (words if whole else start).rstrip() + "…"


def _facts(exchange: Exchange, language: Language) -> list[str]:
    """Who answered, how long it took, and whether it was stopped."""
    facts, answer = [], exchange.answer
    if answer is not None:
        facts.append(name_word(answer.reader, language))
        if answer.seconds > 0:
            facts.append(say(language, "took", seconds=f"{answer.seconds:.1f}"))
    if exchange.stopped or (answer is not None and answer.stopped):
        facts.append(say(language, "stopped_left" if exchange.left else "stopped"))
    return [fact for fact in facts if fact]


# ---- an answer as text for the clipboard


def copied(exchange: Exchange, language: Language) -> str:
    """The answer as people read it, without citations; "" if there is none."""
    answer = exchange.answer
    short = answer.short if answer and answer.state is AnswerState.ANSWER else None
    stated = short_text(short, language, marks=False) if short else ""
    parts = [_warning(exchange, language), stated, "" if _is_repeated(exchange) else _said(exchange)]
    return "\n\n".join(part for part in parts if part) if any(parts[1:]) else ""


def footnoted(exchange: Exchange, language: Language) -> str:
    """The answer with its citations as `[n]`, followed by the sources that it cites."""
    answer = exchange.answer
    short = answer.short if answer and answer.state is AnswerState.ANSWER else None
    citations = [*(short.citations if short else ()), *_citations_of(answer.sentences if answer else ())]
    cited = {citation.number for citation in citations}
    notes = [
        f"[{source.number}] {source.document}, {say(language, 'page', label=source.page_label)}"
        for source in exchange.sources
        if source.number in cited
    ]
    said = "" if _is_repeated(exchange) else exchange.cited_answer()
    parts = [_warning(exchange, language), short_text(short, language) if short else "", said]
    return "\n\n".join(part for part in [*parts, "\n".join(notes)] if part) if any(parts[1:]) else ""


def _said(exchange: Exchange) -> str:
    """The sentences of the answer, or what has arrived of them."""
    if exchange.answer is None:
        return exchange.bare_answer()
    return "".join(sentence.lead + sentence.text for sentence in exchange.answer.sentences).strip()


def _is_repeated(exchange: Exchange) -> bool:
    """Whether the sentences say no more than the list in the short answer."""
    answer = exchange.answer
    return answer is not None and repeats_list(answer)


def _warning(exchange: Exchange, language: Language) -> str:
    doubt = doubt_of(exchange, language)
    return doubt.in_one_line(language) if doubt and doubt.state is AnswerState.CLOSEST else ""


def _citations_of(sentences: Sequence[Sentence]) -> list[Citation]:
    return [citation for sentence in sentences for citation in sentence.citations]
