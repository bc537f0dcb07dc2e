"""An answer as text for the clipboard, alone or with its citations as footnotes."""

from __future__ import annotations

from collections.abc import Sequence

from rag.records import AnswerState, Citation, Sentence
from webui.conversation import Exchange
from webui.strings import Language, say
from webui.views.doubts import doubt_of
from webui.views.short import repeats_list, short_text


def copied(exchange: Exchange, language: Language) -> str:
    """The answer as it is read, without citations; "" if there is none."""
    answer = exchange.answer
    short = answer.short if answer and answer.state is AnswerState.ANSWER else None
    stated = short_text(short, language, marks=False) if short else ""
    parts = [_warning(exchange, language), stated, "" if _is_repeated(exchange) else _said(exchange)]
    return "\n\n".join(part for part in parts if part) if any(parts[1:]) else ""


def footnoted(exchange: Exchange, language: Language) -> str:
    """The answer with its citations as `[n]`, and below it the sources that it cites."""
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
    """The sentences of the answer, or as much as has come of them."""
    if exchange.answer is None:
        return exchange.bare_answer()
    return "".join(sentence.lead + sentence.text for sentence in exchange.answer.sentences).strip()


def _is_repeated(exchange: Exchange) -> bool:
    """Whether the sentences say no more than the list that is the short answer."""
    answer = exchange.answer
    return answer is not None and repeats_list(answer)


def _warning(exchange: Exchange, language: Language) -> str:
    doubt = doubt_of(exchange, language)
    return f"{doubt.title}: {doubt.reason}" if doubt and doubt.state is AnswerState.CLOSEST else ""


def _citations_of(sentences: Sequence[Sentence]) -> list[Citation]:
    return [citation for sentence in sentences for citation in sentence.citations]
