"""Actions on the open page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from webui.conversation import PlainPage
from webui.edge import to_int
from webui.engine import Engine
from webui.session import Opened, Session
from webui.versions import newest_version


def turn_viewer(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Turn the page, return to the source's page, open the document's new version, or close the viewer."""
    opened = session.opened
    if opened is None:
        return
    match data.get("do"):
        case "close":
            session.opened = None
        case "turn":
            session.opened = replace(opened, page=max(to_int(data.get("page")), 0))
        case "back":
            session.opened = replace(opened, page=None)
        case "newer":
            _open_newer(engine, session, opened)


def _open_newer(engine: Engine, session: Session, opened: Opened) -> None:
    """Open a document's new version at the page cited from the old one, or at its last page."""
    newer = newest_version(engine, session.owner, opened.source.document_id)
    if newer is not None:
        page = opened.source.first_page if opened.page is None else opened.page
        session.open_page(PlainPage(newer.id, newer.name, min(page, newer.pages - 1)))
