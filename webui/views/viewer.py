"""The viewer: the page that a source is on, with the passage and the cited sentence marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.pdf.headings import shown_headings
from rag.records import Box, View
from webui.session import Opened
from webui.strings import Language
from webui.views.names import NO_TITLES, full_name, shown_name
from webui.views.reasons import source_why
from webui.views.render import render


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether the page shown is saved as a correct page of the question that it was opened for."""

    right: bool = False
    problem: Message | None = None  # why it could not be saved


@dataclass(frozen=True, slots=True)
class _Passage:
    """The text below the page, divided around what is cited; `cited` is None if nothing is."""

    before: str
    cited: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The new version that replaced a source's document."""

    by: str  # name of the new version
    exchange: int | None  # id of the exchange that can be asked again; None if there is none


_UNMARKED = Mark()


def viewer_html(
    view: View | None,
    opened: Opened | None,
    language: Language,
    problem: Message | None = None,
    mark: Mark = _UNMARKED,
    titles: Mapping[str, str] = NO_TITLES,
    replaced: Replaced | None = None,
) -> Markup:
    """An open source, or a sentence if nothing is open or opening it failed. `titles`: as a session keeps them.

    `replaced`: the source's document is gone; its new version is offered instead.
    """
    if problem or view is None or opened is None:
        old = opened.source.document if opened else ""
        return render("viewer.html", language, problem=problem, view=None, replaced=replaced, old=old)
    return render(
        "viewer.html",
        language,
        problem=None,
        view=view,
        name=shown_name(view.source, titles),
        full_name=full_name(view.source, titles),
        way_back=opened.page is not None and bool(opened.source.text) and not view.passage_boxes,
        goes_on=view.goes_on,
        pdf=f"document/{opened.source.document_id}/pdf#page={view.page + 1}",
        question=opened.question,
        mark=mark,
        why=source_why(opened.source, language),
        headings=shown_headings(opened.source.heading),
        boxes=[("passage-box", _style(box)) for box in view.passage_boxes]
        + [("sentence-box", _style(box)) for box in view.sentence_boxes],
        passage=_passage(opened),
    )


def _style(box: Box) -> str:
    """Where a box lies on the picture, in percent of the page, clipped to it."""
    left, top, right, bottom = (min(max(float(side), 0.0), 1.0) * 100 for side in box)
    width, height = max(right - left, 0), max(bottom - top, 0)
    return f"left:{left:.3f}%;top:{top:.3f}%;width:{width:.3f}%;height:{height:.3f}%"


def _passage(opened: Opened) -> _Passage | None:
    """The retrieved passage, or all of the source if the citation is outside the passage.

    None for a page that was opened without a source.
    """
    source, citation = opened.source, opened.citation
    if not source.text:
        return None
    if citation is None:
        return _Passage(source.passage_text)
    first, last = source.passage_span or (0, len(source.text))
    start, end = max(citation.start, 0), max(citation.end, citation.start, 0)
    if not first <= start <= end <= last:
        first, last = 0, len(source.text)
    if start >= min(end, last):  # a table cell outside the source's text
        return _Passage(source.passage_text)
    return _Passage(source.text[first:start], source.text[start:end], source.text[end:last])
