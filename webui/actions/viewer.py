"""Actions on the open page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from webui.edge import to_int
from webui.session import Session


def turn_viewer(session: Session, data: dict[str, Any]) -> None:
    """Turn the page, go back to the one of the source, or close the viewer."""
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
