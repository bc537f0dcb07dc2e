"""The library: where files are dropped, files being added, and the documents, each with a checkbox."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from rag.records import Document, DocumentDetails, Job, JobState, PageKind
from webui.engine import Engine
from webui.session import Session
from webui.strings import Language, say
from webui.views.render import render
from webui.views.status import shown_choice

MAX_SHOWN_JOBS = 20  # somebody may add a folder with thousands of files
MIN_FILTERED_DOCUMENTS = 8  # from this many documents on the list can be filtered
MAX_SHOWN_HEADINGS = 100  # of a document's outline
MAX_OUTLINE_LEVEL = 4  # deeper headings are indented as those of this level
_REPORTED_KINDS = (PageKind.SCANNED, PageKind.GARBLED, PageKind.EMPTY, PageKind.FAILED)
_JOB_ORDER = {JobState.LOCKED: 0, JobState.FAILED: 1, JobState.EMBEDDING: 2, JobState.READING: 3}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A progress bar; indeterminate where `total` is 0."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A file being added. Only its owner can cancel, dismiss or unlock it."""

    id: int
    name: str
    state: str
    own: bool
    progress: str
    bar: _Bar | None
    message: Message | None


@dataclass(frozen=True, slots=True)
class _Heading:
    """An entry of a document's outline; `level` from 1 to MAX_OUTLINE_LEVEL."""

    title: str
    level: int
    page: str  # "p. 5"


@dataclass(frozen=True, slots=True)
class _Details:
    """What is shown of a document when its details are opened."""

    author: str
    created: str
    outline: list[_Heading]
    more_headings: int  # not shown
    page_notes: list[tuple[str, Message]]  # "p. 5", and what is wrong with that page

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.author or self.created or self.outline or self.page_notes)


@dataclass(frozen=True, slots=True)
class _Document:
    """A row of the list. Only its owner can remove it."""

    id: str
    name: str
    own: bool
    chosen: bool
    report: str
    notes: tuple[Message, ...]
    details: _Details | None  # None while they are closed


def library_html(engine: Engine, session: Session) -> Markup:
    """Above the documents: how to add files, and the files being added. Redrawn often, so it holds no long list."""
    jobs = engine.jobs(session.owner)
    ranked = sorted(jobs, key=lambda job: (_JOB_ORDER.get(job.state, 4), job.id))
    return render(
        "library.html",
        session.language,
        limit_bytes=engine.settings.limits.file_bytes,
        problem=session.problem,
        jobs=[_job(job, session) for job in ranked[:MAX_SHOWN_JOBS]],
        hidden_jobs=len(jobs) - MAX_SHOWN_JOBS,
    )


def documents_html(engine: Engine, session: Session) -> Markup:
    """The documents, each with a checkbox, and which components run."""
    documents = engine.documents(session.owner)
    return render(
        "documents.html",
        session.language,
        documents=[_document(document, engine, session) for document in documents],
        filter=len(documents) >= MIN_FILTERED_DOCUMENTS,
        choices=[shown_choice(choice, session.language) for choice in engine.choices()],
    )


def kinds_report(document: Document, language: Language) -> str:
    """Number of pages, and how many could not be read: "142 pages · 3 scanned"."""
    pages = say(language, "page_one") if document.pages == 1 else say(language, "pages", n=document.pages)
    kinds = document.kinds
    unread = [say(language, f"kind_{kind}", n=kinds[kind]) for kind in _REPORTED_KINDS if kinds.get(kind)]
    return " · ".join([pages, *unread])


def _document(document: Document, engine: Engine, session: Session) -> _Document:
    details = engine.details(session.owner, document.id) if document.id in session.detailed else None
    return _Document(
        id=document.id,
        name=document.name,
        own=document.owner == session.owner,
        chosen=document.id not in session.conversation.left_out,
        report=kinds_report(document, session.language),
        notes=document.notes,
        details=None if details is None else _details(details, session.language),
    )


def _details(details: DocumentDetails, language: Language) -> _Details:
    outline = [
        _Heading(entry.title, min(entry.level, MAX_OUTLINE_LEVEL), say(language, "page", label=entry.page + 1))
        for entry in details.outline[:MAX_SHOWN_HEADINGS]
    ]
    notes = [(say(language, "page", label=label), note) for label, note in details.page_notes]
    return _Details(details.author, details.created, outline, len(details.outline) - len(outline), notes)


def _job(job: Job, session: Session) -> _Job:
    language = session.language
    state = "job_failed" if job.state is JobState.FAILED else job.state.value
    return _Job(
        id=job.id,
        name=job.name,
        state=job.state.value,
        own=job.owner == session.owner,
        progress=" · ".join([say(language, state), *_progress_words(job, language)]),
        bar=_bar(job),
        message=job.message,
    )


def _progress_words(job: Job, language: Language) -> list[str]:
    """How far a job is, in words."""
    words = []
    if job.state is JobState.READING and job.pages:
        words.append(say(language, "pages_read", read=job.pages_read, pages=job.pages))
    elif job.state is JobState.READING and job.pages_read:
        words.append(say(language, "pages_read_unknown", read=job.pages_read))
    elif job.state is JobState.EMBEDDING:
        words.append(say(language, "passages_embedded", embedded=job.passages_embedded, passages=job.passages))
        if job.passages_per_second > 0:
            words.append(say(language, "per_second", speed=f"{job.passages_per_second:.1f}"))
    if job.seconds_left is not None and job.state in (JobState.READING, JobState.EMBEDDING):
        words.append(say(language, "left", time=_duration(job.seconds_left, language)))
    return words


def _duration(seconds: float, language: Language) -> str:
    if seconds < 60:
        return say(language, "seconds", n=max(round(seconds), 1))
    if seconds < 3600:
        return say(language, "minutes", n=round(seconds / 60))
    return say(language, "hours", n=f"{seconds / 3600:.1f}")


def _bar(job: Job) -> _Bar | None:
    if job.state is JobState.WAITING:
        return _Bar(0, 1)
    if job.state is JobState.READING:
        return _Bar(min(job.pages_read, job.pages), job.pages)
    if job.state is JobState.EMBEDDING:
        return _Bar(min(job.passages_embedded, job.passages), job.passages)
    return None
