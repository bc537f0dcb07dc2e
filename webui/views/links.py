"""Buttons that open a source, and links that export an exchange, in the form that the templates take them."""

from __future__ import annotations

from dataclasses import dataclass

from rag.records import Source
from webui.conversation import Exchange
from webui.session import Session
from webui.strings import say
from webui.views.names import full_name, parts_of, shown_name

EXPORT_FORMATS = (("md", "Markdown"), ("html", "HTML"), ("json", "JSON"))  # end of the address, and name


@dataclass(frozen=True, slots=True)
class Link:
    """A button that opens a source."""

    exchange: int
    sentence: int  # index of the sentence that cites it, or a constant of `webui.conversation`
    number: int
    document_id: str
    start: str  # of its name, cut off if there is no room
    end: str
    page: str  # "p. 12"
    label: str
    open: bool  # whether the viewer is showing it


def link(source: Source, exchange: Exchange, sentence: int, session: Session) -> Link:
    """The button that opens a source, as cited by the sentence with this index."""
    language, opened = session.language, session.opened
    name, full = shown_name(source, session.titles), full_name(source, session.titles)
    start, end = parts_of(name)
    return Link(
        exchange=exchange.id,
        sentence=sentence,
        number=source.number,
        document_id=source.document_id,
        start=start,
        end=end,
        page=say(language, "page", label=source.page_label),
        label=say(language, "open_source", n=source.number, document=full, label=source.page_label),
        open=opened is not None and opened.source == source,
    )


def export_links(exchange: Exchange, session: Session) -> list[tuple[str, str]]:
    """Address and name of each export format for an exchange; none while it is not stored."""
    known = session.conversation.id
    return [(f"c/{known}.{end}?turn={exchange.id}", name) for end, name in EXPORT_FORMATS] if known else []
