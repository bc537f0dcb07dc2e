"""The viewer as HTML: the page a source stands on, with the passage and the cited sentence marked."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from rag.records import Box, View
from webui.conversation import Opened
from webui.strings import Language, say
from webui.views.markup import escape
from webui.views.reasons import source_why


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether the page shown is kept as a right one of the question it was opened for."""

    right: bool = False
    problem: str = ""  # one sentence: why it could not be kept


_UNMARKED = Mark()


def viewer_html(
    view: View | None, opened: Opened | None, language: Language, problem: str = "", mark: Mark = _UNMARKED
) -> str:
    """An opened source; a sentence when nothing is open or when opening failed."""
    if problem:
        return f'{_close(language)}<div class="problem" role="alert" data-key="problem">{escape(problem)}</div>'
    if view is None or opened is None:
        return f'<p class="empty" data-key="empty">{escape(say(language, "viewer_empty"))}</p>'
    return "".join(
        (
            f'<div class="top" data-key="top">{_close(language)}{_head(view)}',
            f"{_turner(view, opened, language, mark)}</div>",
            source_why(opened.source, language),
            _picture(view, language),
            _passage(opened, language),
        )
    )


def _close(language: Language) -> str:
    label = escape(say(language, "close"))
    return (
        f'<button type="button" class="close icon" data-do="close" data-key="close" aria-label="{label}"'
        f' title="{label}">✕</button>'
    )


def _head(view: View) -> str:
    source = view.source
    heading = " › ".join(source.heading)
    path = f'<p class="heading" dir="auto">{escape(heading)}</p>' if heading else ""
    number = f'<span class="number">{source.number}</span>' if source.number else ""  # a right page has none
    return f'<header data-key="head">{number}<h2 tabindex="-1"><bdi>{escape(source.document)}</bdi></h2>{path}</header>'


def _turner(view: View, opened: Opened, language: Language, mark: Mark) -> str:
    """Previous page, where we are, next page, the way back to the passage, and the mark of a right page."""
    label = say(language, "page_of", label=view.page_label)
    count = say(language, "page_count", n=view.page + 1, pages=view.pages)
    back = ""
    if opened.page is not None and opened.source.text and not view.passage_boxes:
        words = escape(say(language, "back_to_source"))
        back = f'<button type="button" class="quiet" data-do="back">{words}</button>'
    return (
        f'<nav class="turner" data-key="turner">'
        f"{_turn(view.page - 1, view, 'previous_page', '‹', language)}"
        f'<span class="at"><b>{escape(label)}</b> <small>{escape(count)}</small></span>'
        f"{_turn(view.page + 1, view, 'next_page', '›', language)}{back}{_right(view, opened, language, mark)}</nav>"
    )


def _right(view: View, opened: Opened, language: Language, mark: Mark) -> str:
    """Whether the page answers the question, and the way to where that is used."""
    if not opened.question:
        return ""
    hint, there = say(language, "right_page_hint"), ""
    if mark.right:
        hint = say(language, "right_page_undo", question=opened.question)
        there = f'<button type="button" class="quiet" data-do="evaluate">{escape(say(language, "evaluate"))} ›</button>'
    problem = f'<p class="problem" role="alert" dir="auto">{escape(mark.problem)}</p>' if mark.problem else ""
    return (
        f'<span class="right-mark"><button type="button" class="mark-right" data-do="right" data-page="{view.page}"'
        f' data-document="{escape(opened.source.document_id)}" aria-pressed="{str(mark.right).lower()}"'
        f' title="{escape(hint)}">'
        f"{escape(say(language, 'right_page_kept' if mark.right else 'right_page'))}</button>{there}</span>{problem}"
    )


def _turn(page: int, view: View, key: str, sign: str, language: Language) -> str:
    label = escape(say(language, key))
    off = "" if 0 <= page < view.pages else " disabled"
    return (
        f'<button type="button" class="icon" data-do="turn" data-page="{page}" aria-label="{label}"'
        f' title="{label}"{off}>{sign}</button>'
    )


def _picture(view: View, language: Language) -> str:
    data = base64.b64encode(view.picture).decode("ascii")
    key = "page_picture" if view.passage_boxes or view.sentence_boxes else "page_alone"
    label = say(language, key, label=view.page_label, document=view.source.document)
    boxes = "".join(_box(box, "passage-box") for box in view.passage_boxes)
    boxes += "".join(_box(box, "sentence-box") for box in view.sentence_boxes)
    width, height = png_size(view.picture)
    return (
        f'<figure class="sheet" data-key="sheet"><img src="data:image/png;base64,{data}" width="{width}"'
        f' height="{height}" alt="{escape(label)}">{boxes}</figure>'
    )


def png_size(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels of a PNG, from its IHDR chunk; (0, 0) when it is none.

    https://www.w3.org/TR/png-3/#11IHDR
    """
    head = picture[:24]
    if len(head) < 24 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return 0, 0
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _box(box: Box, kind: str) -> str:
    """A mark over the picture, in percent of the page, kept inside it."""
    left, top, right, bottom = (min(max(float(side), 0.0), 1.0) * 100 for side in box)
    return (
        f'<span class="{kind}" style="left:{left:.3f}%;top:{top:.3f}%;width:{max(right - left, 0):.3f}%;'
        f'height:{max(bottom - top, 0):.3f}%"></span>'
    )


def _passage(opened: Opened, language: Language) -> str:
    """The passage found, or all of the source where what is cited stands outside of it, the cited stretch stronger.

    Nothing for a page that was opened without a source.
    """
    source, citation = opened.source, opened.citation
    if not source.text:
        return ""
    first, last = source.passage_span or (0, len(source.text))
    if citation is None:
        body = escape(source.passage_text)
    else:
        start, end = max(citation.start, 0), max(citation.end, citation.start, 0)
        if not first <= start <= end <= last:
            first, last = 0, len(source.text)
        before, cited, after = source.text[first:start], source.text[start:end], source.text[end:last]
        body = f"{escape(before)}<mark>{escape(cited)}</mark>{escape(after)}"
    title = escape(say(language, "passage"))
    return (
        f'<section class="passage" data-key="passage"><h3>{title}</h3><p class="text" dir="auto">{body}</p></section>'
    )
