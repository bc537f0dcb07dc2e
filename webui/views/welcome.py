"""What is shown before the first question: how to start, or the introduction of the newest document ticked."""

from __future__ import annotations

from markupsafe import Markup

from rag.records import Document, JobState
from webui.accounts.roles import Right
from webui.engine import Engine
from webui.session import Session
from webui.views.details import details_of
from webui.views.documents import kinds_report
from webui.views.names import name_of
from webui.views.render import render

MAX_OUTLINE = 12  # headings


def welcome_html(engine: Engine, session: Session) -> Markup:
    """The welcome; the page hides it after the first question."""
    documents = engine.documents(session.owner)
    chosen = [document for document in documents if document.id not in session.conversation.left_out]
    shown = chosen[-1] if chosen else None
    jobs = [job for job in engine.jobs(session.owner) if job.state is not JobState.FAILED]
    values = _introduced(engine, session, shown) if shown else {"document": None}
    return render(
        "welcome.html",
        session.language,
        **values,
        some=bool(documents) or not session.role.may(Right.ADD),
        adding=", ".join(job.name for job in jobs[:3]) + ("…" if len(jobs) > 3 else ""),
    )


def _introduced(engine: Engine, session: Session, document: Document) -> dict[str, object]:
    """What is shown about a document."""
    language = session.language
    introduction = engine.introductions.of(session.owner, document.id)
    details = engine.details(session.owner, document.id)
    shown = details_of(document, details, introduction, language) if details else None
    name = name_of(document)
    report = kinds_report(document, language)
    return {
        "document": document,
        "title": name.shown,
        "report": f"{name.file} · {report}" if name.file else report,
        "introduction": introduction,
        "making": introduction is None and engine.introductions.making(session.owner, document.id),
        "outline": shown.outline[:MAX_OUTLINE] if shown else (),
    }
