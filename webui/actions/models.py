"""Actions on the reader: choose, download or unload a model, or connect to a model server."""

from __future__ import annotations

from typing import Any

from rag.errors import SettingRefused
from webui.edge import to_text
from webui.models import Models
from webui.session import Session


def change_model(models: Models | None, session: Session, data: dict[str, Any]) -> None:
    """Do what the picker sent; does nothing if models cannot be chosen. Raises AskError."""
    if models is None:
        return
    match data.get("do"):
        case "models":
            _toggle(models, session)
        case "pick":
            name = data.get("model")
            if not isinstance(name, str):
                raise SettingRefused("Choose a model from the list, or name one.")
            models.pick(name, str(data.get("precision")))
            session.offers = None
        case "download":
            models.control_download(str(data.get("action")))
        case "test-server":
            session.served = ()
            session.served = models.served(*_server(data))
        case "connect":
            models.connect(*_server(data), str(data.get("model")))
            session.offers, session.served = None, ()
        case "disconnect":
            models.disconnect()


def _toggle(models: Models, session: Session) -> None:
    """Open the model picker, or close it."""
    if session.offers is not None:
        session.offers = None
        return
    session.offers, session.served = models.offers(), ()
    session.recommended = models.recommended()


def _server(data: dict[str, Any]) -> tuple[str, str]:
    """The address and the key that were typed."""
    return to_text(data.get("server")).strip(), to_text(data.get("key")).strip()
