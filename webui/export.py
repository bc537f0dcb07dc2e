"""Exports a conversation as a file: Markdown, a single HTML page with pictures of the cited pages, or JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from rag.records import AnswerState, Citation, ClaimState, Sentence, Source, View
from webui.conversation import Conversation, Exchange
from webui.strings import Language, say, say_message
from webui.views.doubts import doubt_of, unread_names
from webui.views.markup import append_placeholders, placeholder, remove_placeholders, space_bullets, to_html, visible
from webui.views.render import render
from webui.views.short import repeats_list, short_lines, short_text

FORMAT: Final = 1  # of the JSON format; raised when a field changes its meaning
MAX_PICTURES: Final = 60  # with pictures in one HTML file; further pages are only named
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")  # characters of plain text that Markdown would interpret
_Pictured = Callable[[Source, Citation | None], tuple[View, bytes] | None]


def as_json(conversation: Conversation) -> str:
    """Everything asked, in all branches, with sources, citations and checks."""
    return json.dumps(
        {
            "format": FORMAT,
            "title": conversation.title,
            "shown": conversation.branch_ids(),
            "exchanges": [
                json.loads(exchange.to_json()) for exchange in conversation.loaded(sorted(conversation.parents))
            ],
        },
        ensure_ascii=False,
        indent=1,
    )


# ---- Markdown


def as_markdown(conversation: Conversation, language: Language) -> str:
    """The branch shown: questions as headings, answers, and the cited sources as footnotes."""
    parts = [f"# {_escaped(conversation.title or say(language, 'title'))}"]
    for exchange in conversation.branch:
        parts += [f"## {_escaped(exchange.question)}", *_warnings(exchange, language)]
        parts += [_short_markdown(exchange, language), _markdown_answer(exchange)]
        parts.append("\n".join(_footnotes(exchange, language)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_answer(exchange: Exchange) -> str:
    answer, plain = exchange.answer, exchange.is_plain_text
    if answer is None:
        return _escaped(exchange.bare_answer()) if plain else exchange.bare_answer()
    if repeats_list(answer):
        return ""
    text = ""
    for sentence in answer.sentences:
        said = sentence.lead + (_escaped(sentence.text, lines=True) if plain else sentence.text)
        text += append_placeholders(said, _marks(exchange, sentence.citations))
    return text.strip()


def _marks(exchange: Exchange, citations: Sequence[Citation]) -> str:
    return "".join(f"[^{exchange.id}-{number}]" for number in dict.fromkeys(one.number for one in citations))


def _footnotes(exchange: Exchange, language: Language) -> Iterator[str]:
    for source in _cited(exchange):
        page = say(language, "page", label=_escaped(source.page_label))
        yield f"[^{exchange.id}-{source.number}]: {_escaped(source.document)}, {page}"


def _short_markdown(exchange: Exchange, language: Language) -> str:
    short = exchange.answer.short if exchange.answer and exchange.answer.state is AnswerState.ANSWER else None
    lines = []
    for line in short_lines(short, language) if short else ():
        text, marks = _escaped(line.text), _marks(exchange, line.citations)
        lines.append(f"- {text}{marks}" if line.is_item else f"**{text}**{marks}")
    return "\n".join(lines)


def _escaped(text: str, *, lines: bool = False) -> str:
    """Plain text escaped so that Markdown shows it unchanged; on one line unless `lines`."""
    escaped = _MARKDOWN.sub(r"\\\1", visible(text))
    return escaped if lines else " ".join(escaped.split())


# ---- HTML


@dataclass
class _Page:
    """A cited page and its picture."""

    id: str
    name: str  # for example "report.pdf, p. 5"
    picture: str = ""  # PNG in base64; "" without one
    boxes: list[str] = field(default_factory=list)  # styles of the marks on the picture


@dataclass(frozen=True)
class _Turn:
    """A question and its answer, in the form that the template takes."""

    question: str
    warnings: list[str]
    short: str
    body: Markup
    sources: list[tuple[int, _Page]]


def as_html(conversation: Conversation, language: Language, pictured: _Pictured) -> str:
    """The branch shown as one self-contained page without scripts, followed by the cited pages with their marks.

    `pictured` returns the page of a source, or of its citation; None if the document is gone.
    """
    pages: dict[tuple[str, str], _Page] = {}
    turns = [_turn(exchange, language, pages, pictured) for exchange in conversation.branch]
    title = conversation.title or say(language, "title")
    return render("export.html", language, title=title, turns=turns, pages=list(pages.values()))


def _turn(exchange: Exchange, language: Language, pages: dict[tuple[str, str], _Page], pictured: _Pictured) -> _Turn:
    citations = {one.number: one for one in reversed(_citations(exchange))}  # the first of each source
    sources = [
        (source.number, _page(source, citations.get(source.number), language, pages, pictured))
        for source in _cited(exchange)
    ]
    short = exchange.answer.short if exchange.answer and exchange.answer.state is AnswerState.ANSWER else None
    return _Turn(
        question=exchange.question,
        warnings=_warnings(exchange, language),
        short=short_text(short, language, marks=False) if short else "",
        body=_body(exchange, language, dict(sources)),
        sources=sources,
    )


def _page(
    source: Source,
    citation: Citation | None,
    language: Language,
    pages: dict[tuple[str, str], _Page],
    pictured: _Pictured,
) -> _Page:
    """The page that a source is cited from. It is drawn once, with the marks of all citations on it."""
    enough = sum(bool(page.picture) for page in pages.values()) >= MAX_PICTURES
    found = None if enough else pictured(source, citation)
    label = found[0].page_label if found else source.page_label
    name = f"{source.document}, {say(language, 'page', label=label)}"
    page = pages.setdefault((source.document_id, label), _Page(f"page-{len(pages) + 1}", name))
    if found:
        view, picture = found
        page.picture = base64.b64encode(picture).decode("ascii")
        boxes = view.sentence_boxes or view.passage_boxes
        styles = [_style(box) for box in boxes]
        page.boxes += [style for style in styles if style not in page.boxes]
    return page


def _style(box: Sequence[float]) -> str:
    left, top, right, bottom = (min(max(float(side), 0.0), 1.0) * 100 for side in box)
    return f"left:{left:.2f}%;top:{top:.2f}%;width:{max(right - left, 0):.2f}%;height:{max(bottom - top, 0):.2f}%"


def _body(exchange: Exchange, language: Language, pages: dict[int, _Page]) -> Markup:
    """The answer with links to the cited pages, and the results of checking."""
    sentences = exchange.answer.sentences if exchange.answer else (Sentence(exchange.bare_answer()),)
    places: list[Markup] = []
    text = ""
    for sentence in sentences:
        said = remove_placeholders(sentence.lead) + remove_placeholders(sentence.text)
        text += append_placeholders(said, placeholder(len(places)))
        places.append(_verdict(sentence, language, pages))
    return to_html(
        space_bullets(text), lambda n: places[n] if n < len(places) else Markup(), plain=exchange.is_plain_text
    )


def _verdict(sentence: Sentence, language: Language, pages: dict[int, _Page]) -> Markup:
    numbers = dict.fromkeys(one.number for one in sentence.citations if one.number in pages)
    doubt = ""
    if sentence.claim is ClaimState.CONTRADICTED:
        doubt = say(language, "conflict_hint")
    elif sentence.claim is ClaimState.NOT_FOUND and not numbers:
        doubt = say(language, "no_source")
    return render("export_marks.html", language, cited=[(number, pages[number]) for number in numbers], doubt=doubt)


# ---- both


def _warnings(exchange: Exchange, language: Language) -> list[str]:
    """What to know before reading an answer: that it is an error or a reply, is in doubt, or was stopped."""
    doubt = doubt_of(exchange, language)
    told = [
        say_message(language, exchange.error) if exchange.error else "",
        say_message(language, exchange.answer.reply) if exchange.answer and exchange.answer.reply else "",
        doubt.in_one_line(language) if doubt else "",
        say(language, "unread", names=unread) if (unread := unread_names(exchange)) else "",
        say(language, "stopped") if exchange.stopped else "",
        say_message(language, exchange.answer.cut) if exchange.answer and exchange.answer.cut else "",
    ]
    return [text for text in told if text]


def _citations(exchange: Exchange) -> list[Citation]:
    answer = exchange.answer
    if answer is None:
        return []
    short = answer.short.citations if answer.short and answer.state is AnswerState.ANSWER else ()
    return [*short, *(citation for sentence in answer.sentences for citation in sentence.citations)]


def _cited(exchange: Exchange) -> list[Source]:
    """The sources that an answer cites, by number."""
    cited = {citation.number for citation in _citations(exchange)}
    return [source for source in exchange.sources if source.number in cited]
