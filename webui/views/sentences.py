"""The sentences of an answer, each with the sources it cites and the result of checking it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.answer.marks import remove_citation_marks
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
    space_bullets,
    to_html,
)
from webui.views.render import render

MAX_CONFLICT_CHARACTERS = 60  # characters of what a source says instead of a claim; the rest is cut


@dataclass(frozen=True, slots=True)
class _Contradiction:
    """What a source says instead of what a sentence says."""

    link: Link
    says: str


def sentences_html(exchange: Exchange, session: Session) -> Markup | None:
    """The answer so far; None before its first character."""
    if exchange.answer is None and not exchange.text:
        return None
    sentences = exchange.checked if exchange.answer is None else exchange.answer.sentences
    places: list[Markup] = []  # what each placeholder stands for
    text = _with_placeholders(exchange, sentences, session, places)
    if exchange.answer is None:
        text += _unchecked(exchange, session, places)
    return to_html(
        space_bullets(text),
        lambda number: places[number] if number < len(places) else Markup(),
        plain=exchange.is_plain_text,
    )


def _unchecked(exchange: Exchange, session: Session, places: list[Markup]) -> str:
    """What follows the sentences checked so far; before the first of them, with the marks that the reader wrote."""
    if exchange.checked:
        checked = sum(len(sentence.lead) + len(sentence.text) for sentence in exchange.checked)
        return remove_placeholders(remove_citation_marks(exchange.text)[checked:])
    by_number = {source.number: source for source in exchange.sources}
    first = len(places)
    for number in range(1, len(exchange.sources) + 1):
        links = [link(by_number[number], exchange, NO_SENTENCE, session)] if number in by_number else []
        places.append(_citations(session.language, links))
    return citations_to_placeholders(exchange.text, len(exchange.sources), first)


def _with_placeholders(
    exchange: Exchange, sentences: Sequence[Sentence], session: Session, places: list[Markup]
) -> str:
    """The sentences, each followed by a placeholder for its citations, or for what contradicts it."""
    texts = [remove_placeholders(sentence.lead) + remove_placeholders(sentence.text) for sentence in sentences]
    blocks = [] if exchange.is_plain_text else fences("".join(texts))
    joined, end = "", 0
    for index, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        end += len(text)
        if any(first < end <= last for first, last in blocks):  # a placeholder there would be part of the code
            joined += text
            continue
        marked = _marked(sentence, places, session.language) or text
        joined += append_placeholders(marked, placeholder(len(places)))
        places.append(_verdict(exchange, index, sentence, session))
    return joined


def _marked(sentence: Sentence, places: list[Markup], language: Language) -> str:
    """A contradicted sentence with placeholders for what is wrong in it; "" if nothing can be marked."""
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
    """What follows a sentence: its citations, what a source says instead, or that no source supports it."""
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
    wrong_sum = sentence.claim is ClaimState.CONTRADICTED and any(one.number == 0 for one in sentence.conflicts)
    if not (cited or contradictions or wrong_sum or sentence.citations or sentence.claim is ClaimState.NOT_FOUND):
        return Markup()
    unsupported = not (cited or contradictions or wrong_sum)
    links = [link(source, exchange, index, session) for source in cited]
    return _citations(session.language, links, contradictions, wrong_sum=wrong_sum, unsupported=unsupported)


def _citations(
    language: Language,
    links: Sequence[Link],
    contradictions: Sequence[_Contradiction] = (),
    *,
    wrong_sum: bool = False,
    unsupported: bool = False,
) -> Markup:
    return render(
        "citations.html",
        language,
        links=links,
        contradictions=contradictions,
        wrong_sum=wrong_sum,
        unsupported=unsupported,
    )


def _said(conflict: Conflict, source: Source) -> str:
    """What the source says, on one line."""
    text = " ".join(source.text[max(conflict.source_start, 0) : max(conflict.source_end, 0)].split())
    return text if len(text) <= MAX_CONFLICT_CHARACTERS else text[:MAX_CONFLICT_CHARACTERS].rstrip() + "…"
