"""Actions on documents and on files being added."""

from __future__ import annotations

from typing import Any

from webui.edge import to_int
from webui.engine import Engine
from webui.session import Session


def change_library(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Do what was sent. Ids of what this owner cannot see never reach the engine. Raises AskError."""
    owner, document, job = session.owner, data.get("document"), to_int(data.get("job"))
    documents = {known.id for known in engine.documents(owner)}
    is_job = any(known.id == job for known in engine.jobs(owner))
    left_out = session.conversation.left_out
    left_out &= documents
    session.detailed &= documents
    match data.get("do"):
        case "choose" if isinstance(document, str) and document in documents:
            (left_out.discard if data.get("chosen") else left_out.add)(document)
        case "choose-all":
            left_out.clear()
        case "choose-none":
            left_out |= documents
        case "details" if isinstance(document, str) and document in documents:
            session.detailed ^= {document}
        case "remove" if isinstance(document, str) and document in documents:
            engine.remove(owner, document)
        case "cancel" if is_job:
            engine.cancel(owner, job)
        case "unlock" if is_job:
            engine.unlock(owner, job, str(data.get("password")))
