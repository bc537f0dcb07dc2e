"""The conversation as HTML: questions, sources, answers with their citations as buttons."""

from __future__ import annotations

from collections.abc import Sequence

from rag.records import Sentence, Source
from webui.conversation import Conversation, Exchange
from webui.strings import Language, say
from webui.views.markup import (
    append_placeholders,
    citations_to_placeholders,
    escape,
    fences,
    placeholder,
    remove_placeholders,
    to_html,
)
from webui.views.reasons import sources_why

SHOWN_SOURCES = 4  # the rest is folded away
EXCERPT_CHARACTERS = 240


def conversation_html(conversation: Conversation) -> str:
    """The last question and its answer, which is drawn again with each word; a welcome before the first."""
    language, last = conversation.language, conversation.exchanges[-1:]
    if not last:
        return (
            f'<div class="welcome" data-key="welcome"><h2>{escape(say(language, "welcome"))}</h2>'
            f"<p>{escape(say(language, 'welcome_hint'))}</p></div>"
        )
    return _exchange(last[0], conversation) + _spoken(last[0], language)


def earlier_html(conversation: Conversation) -> str:
    """The questions before the last one, which stay as they are while it is answered."""
    title = f'<h2 class="unseen" data-key="title">{escape(say(conversation.language, "conversation"))}</h2>'
    return title + "".join(_exchange(exchange, conversation) for exchange in conversation.exchanges[:-1])


def _spoken(last: Exchange, language: Language) -> str:
    """What a screen reader is told: the steps, not every word."""
    if last.running:
        text = _step(last, language)
    else:
        text = last.error or say(language, "stopped" if last.stopped else "answered")
    return f'<p class="unseen" role="status" aria-live="polite" data-key="spoken">{escape(text)}</p>'


def _exchange(exchange: Exchange, conversation: Conversation) -> str:
    language = conversation.language
    parts = [f'<h3 class="question" dir="auto">{escape(exchange.question)}</h3>' if exchange.question else ""]
    found = exchange.found
    if found and found.parts:
        apart = " · ".join(found.parts)
        parts.append(f'<p class="query" dir="auto">{escape(say(language, "searched_apart", parts=apart))}</p>')
    elif found and found.query.strip() != exchange.question.strip():
        parts.append(f'<p class="query" dir="auto">{escape(say(language, "searched_for", query=found.query))}</p>')
    refused = exchange.answer is not None and exchange.answer.refused
    if not refused:
        parts += [_sources(exchange, conversation), sources_why(exchange.sources, language)]
    parts.append(_answer(exchange, conversation))
    if refused:
        parts += [_nearest(exchange, conversation), sources_why(exchange.sources, language)]
    parts.append(_foot(exchange, language))
    state = "running" if exchange.running else "over"
    return f'<article class="turn {state}" data-key="turn-{exchange.id}">{"".join(parts)}</article>'


def _answer(exchange: Exchange, conversation: Conversation) -> str:
    language = conversation.language
    if exchange.error:
        return f'<div class="problem" role="alert" data-key="problem">{escape(exchange.error)}</div>'
    if exchange.answer is not None and exchange.answer.refused:
        said = "".join(part.lead + part.text for part in exchange.answer.sentences).strip()
        words = said or say(language, "refused")
        return f'<div class="refusal" data-key="refusal"><p>{escape(words)}</p></div>'
    if exchange.answer is not None:
        body = _finished(exchange, conversation)
    elif exchange.text:
        body = _streamed(exchange, conversation)
    elif exchange.running:
        return f'<p class="step" data-key="step">{escape(_step(exchange, language))}</p>'
    else:
        return ""
    return f'<div class="answer" dir="auto" data-key="answer">{body}</div>'


def _step(exchange: Exchange, language: Language) -> str:
    if exchange.found is None:
        return say(language, "searching")
    return say(language, "reading_sources", n=len(exchange.sources))


def _streamed(exchange: Exchange, conversation: Conversation) -> str:
    text = citations_to_placeholders(exchange.text, len(exchange.sources))
    by_number = {source.number: source for source in exchange.sources}
    return to_html(
        text,
        lambda number: _button(by_number[number], exchange, -1, conversation) if number in by_number else "",
        plain=exchange.is_plain_text,
    )


def _finished(exchange: Exchange, conversation: Conversation) -> str:
    """The sentences with their checked citations behind them, and a quiet word where there is none."""
    assert exchange.answer is not None
    sentences, plain = exchange.answer.sentences, exchange.is_plain_text
    return to_html(
        _marked(sentences, plain),
        lambda index: _citations(sentences[index], index, exchange, conversation),
        plain=plain,
    )


def _marked(sentences: Sequence[Sentence], plain: bool) -> str:
    """The sentences in one, a placeholder with its index behind each; none in code, where it would be read as code."""
    pieces = [remove_placeholders(sentence.lead) + remove_placeholders(sentence.text) for sentence in sentences]
    blocks = [] if plain else fences("".join(pieces))
    marked, end = "", 0
    for index, piece in enumerate(pieces):
        end += len(piece)
        in_code = any(first < end <= last for first, last in blocks)
        marked += piece if in_code else append_placeholders(piece, placeholder(index))
    return marked


def _citations(sentence: Sentence, index: int, exchange: Exchange, conversation: Conversation) -> str:
    by_number = {source.number: source for source in exchange.sources}
    buttons = [
        _button(by_number[citation.number], exchange, index, conversation)
        for citation in sentence.citations
        if citation.number in by_number
    ]
    if buttons:
        return "".join(buttons)
    text = sentence.text.strip()
    if len(text) < 2 or text.startswith("#") or text.endswith((":", "：")):
        return ""  # a heading, a bare dash and the line before a list state nothing
    language = conversation.language
    hint = escape(say(language, "no_source_hint"))
    return f'<span class="no-source" title="{hint}">{escape(say(language, "no_source"))}</span>'


def _button(source: Source, exchange: Exchange, sentence: int, conversation: Conversation) -> str:
    """A citation mark: a real button that opens its source."""
    return (
        f'<button type="button" class="cite" data-do="open" data-exchange="{exchange.id}"'
        f' data-number="{source.number}" data-sentence="{sentence}" {_opens(source, conversation)}>'
        f"{source.number}</button>"
    )


def _opens(source: Source, conversation: Conversation) -> str:
    """Attributes that name a source and say whether it is the one that is open."""
    label = say(
        conversation.language,
        "open_source",
        n=source.number,
        document=source.document,
        label=source.page_label,
    )
    opened = conversation.opened
    is_open = opened is not None and opened.source == source
    title = f"{source.document} · {say(conversation.language, 'page', label=source.page_label)}"
    return f'aria-label="{escape(label)}" title="{escape(title)}" aria-pressed="{str(is_open).lower()}"'


def _sources(exchange: Exchange, conversation: Conversation) -> str:
    if not exchange.sources:
        return ""
    chips = [_chip(source, exchange, conversation) for source in exchange.sources]
    shown, folded = chips[:SHOWN_SOURCES], chips[SHOWN_SOURCES:]
    more = ""
    if folded:
        name = escape(say(conversation.language, "more_sources", n=len(folded)))
        more = (
            f'<details class="more"><summary aria-label="{name}" title="{name}">+{len(folded)}</summary>'
            f"<div>{''.join(folded)}</div></details>"
        )
    label = escape(say(conversation.language, "sources"))
    return f'<nav class="sources" aria-label="{label}" data-key="sources">{"".join(shown)}{more}</nav>'


def _chip(source: Source, exchange: Exchange, conversation: Conversation) -> str:
    page = escape(say(conversation.language, "page", label=source.page_label))
    return (
        f'<button type="button" class="chip" data-do="open" data-exchange="{exchange.id}"'
        f' data-number="{source.number}" data-sentence="-1" {_opens(source, conversation)}>'
        f'<b>{source.number}</b><bdi class="name">{escape(source.document)}</bdi>'
        f'<span class="page">{page}</span></button>'
    )


def _nearest(exchange: Exchange, conversation: Conversation) -> str:
    """The passages that came nearest, to be judged by the person."""
    if not exchange.sources:
        return ""
    rows = []
    for source in exchange.sources[:SHOWN_SOURCES]:
        text = " ".join(source.passage_text.split())
        if len(text) > EXCERPT_CHARACTERS:
            text = text[:EXCERPT_CHARACTERS].rstrip() + "…"
        rows.append(f'<li>{_chip(source, exchange, conversation)}<p dir="auto">{escape(text)}</p></li>')
    title = escape(say(conversation.language, "nearest"))
    return f'<section class="nearest" data-key="nearest"><h4>{title}</h4><ul>{"".join(rows)}</ul></section>'


def _foot(exchange: Exchange, language: Language) -> str:
    """Who answered, how long it took, and the answer for the clipboard."""
    if exchange.running or exchange.error:
        return ""
    facts = []
    if exchange.answer is not None:
        facts.append(exchange.answer.reader)
        if exchange.answer.seconds > 0:
            facts.append(say(language, "took", seconds=f"{exchange.answer.seconds:.1f}"))
    if exchange.stopped or (exchange.answer is not None and exchange.answer.stopped):
        facts.append(say(language, "stopped"))
    line = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    return f'<footer data-key="foot">{line}{_copy(exchange, language)}</footer>'


def _copy(exchange: Exchange, language: Language) -> str:
    answer = exchange.plain_answer()
    if not answer:
        return ""
    used = {
        citation.number
        for sentence in (exchange.answer.sentences if exchange.answer else ())
        for citation in sentence.citations
    }
    lines = [
        f"[{source.number}] {source.document}, {say(language, 'page', label=source.page_label)}"
        for source in exchange.sources
        if source.number in used
    ]
    text = "\n\n".join(part for part in (answer, "\n".join(lines)) if part)
    return (
        f'<button type="button" class="quiet" data-do="copy" data-text="{escape(text)}"'
        f' data-done="{escape(say(language, "copied"))}">{escape(say(language, "copy"))}</button>'
    )
