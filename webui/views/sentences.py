"""The sentences of an answer, each with the sources it cites and what checking it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.records import ClaimState, Conflict, Sentence, Source
from webui.conversation import NO_SENTENCE, Exchange
from webui.session import Session
from webui.strings import Language
from webui.views.links import Link, link
from webui.views.markup import (
    append_placeholders,
    citations_to_placeholders,
    fences,
    placeholder,
    remove_placeholders,
    to_html,
)
from webui.views.render import render

MAX_CONFLICT_CHARACTERS = 60  # of what a source says in place of a claim; what is longer is cut


@dataclass(frozen=True, slots=True)
class _Contradiction:
    """What a source says in place of what a sentence says."""

    link: Link
    says: str


def sentences_html(exchange: Exchange, session: Session) -> Markup | None:
    """The answer so far; None before its first character."""
    if exchange.answer is not None:
        return _checked(exchange, exchange.answer.sentences, session)
    return _streamed(exchange, session) if exchange.text else None


def _streamed(exchange: Exchange, session: Session) -> Markup:
    """The answer so far, with the marks that the reader wrote as buttons."""
    by_number = {source.number: source for source in exchange.sources}

    def place(number: int) -> Markup:
        if number not in by_number:
            return Markup()
        links = [link(by_number[number], exchange, NO_SENTENCE, session)]
        return render("citations.html", session.language, links=links, contradictions=[], unsupported=False)

    text = citations_to_placeholders(exchange.text, len(exchange.sources))
    return to_html(text, place, plain=exchange.is_plain_text)


def _checked(exchange: Exchange, sentences: Sequence[Sentence], session: Session) -> Markup:
    """The sentences, each followed by its citations, or by what speaks against it."""
    plain = exchange.is_plain_text
    texts = [remove_placeholders(sentence.lead) + remove_placeholders(sentence.text) for sentence in sentences]
    blocks = [] if plain else fences("".join(texts))
    places: list[Markup] = []  # what each placeholder stands for
    joined, end = "", 0
    for index, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        end += len(text)
        if any(first < end <= last for first, last in blocks):  # a placeholder would be code there
            joined += text
            continue
        marked = _marked(sentence, places, session.language) or text
        joined += append_placeholders(marked, placeholder(len(places)))
        places.append(_verdict(exchange, index, sentence, session))
    return to_html(joined, lambda number: places[number] if number < len(places) else Markup(), plain=plain)


def _marked(sentence: Sentence, places: list[Markup], language: Language) -> str:
    """A contradicted sentence with placeholders for what is wrong in it; "" where nothing is to be marked."""
    text, marked, end = sentence.text, remove_placeholders(sentence.lead), 0
    if not sentence.conflicts:
        return ""
    for conflict in sorted(sentence.conflicts, key=lambda one: one.start):
        if not end <= conflict.start < conflict.end <= len(text):
            continue
        marked += remove_placeholders(text[end : conflict.start]) + placeholder(len(places))
        places.append(render("conflict.html", language, text=text[conflict.start : conflict.end]))
        end = conflict.end
    return marked + remove_placeholders(text[end:])


def _verdict(exchange: Exchange, index: int, sentence: Sentence, session: Session) -> Markup:
    """What follows a sentence: its citations, what a source says in its place, or that no source supports it."""
    by_number = {source.number: source for source in exchange.sources}
    contradictions = [
        _Contradiction(link(by_number[one.number], exchange, index, session), _said(one, by_number[one.number]))
        for one in sentence.conflicts
        if one.number in by_number
    ]
    cited = [by_number[citation.number] for citation in sentence.citations if citation.number in by_number]
    if sentence.claim is ClaimState.CONTRADICTED:
        told = {one.link.number for one in contradictions}
        cited = [source for source in cited if source.number not in told]
    unsupported = not cited and not contradictions and _states_something(sentence)
    if not (cited or contradictions or unsupported):
        return Markup()
    return render(
        "citations.html",
        session.language,
        links=[link(source, exchange, index, session) for source in cited],
        contradictions=contradictions,
        unsupported=unsupported,
    )


def _said(conflict: Conflict, source: Source) -> str:
    """What the source says, on one line."""
    text = " ".join(source.text[max(conflict.source_start, 0) : max(conflict.source_end, 0)].split())
    return text if len(text) <= MAX_CONFLICT_CHARACTERS else text[:MAX_CONFLICT_CHARACTERS].rstrip() + "…"


def _states_something(sentence: Sentence) -> bool:
    """Whether a sentence needs a source: a heading, a bare dash and the line before a list do not."""
    text = sentence.text.strip()
    return len(text) >= 2 and not text.startswith("#") and not text.endswith((":", "："))
