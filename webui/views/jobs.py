"""The area above the documents: where to drop files, and the progress of files being added."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from rag.records import Job, JobState
from webui.accounts.roles import Right
from webui.engine import Engine
from webui.session import Session
from webui.strings import Language, say, say_message
from webui.views.collections import Shared, shared_with, upload_places
from webui.views.names import parts_of
from webui.views.render import render

MAX_SHOWN_JOBS = 20  # somebody may add a folder with thousands of files
MAX_OPEN_FAILURES = 2  # files that could not be added; the rest are folded
_JOB_ORDER = {JobState.LOCKED: 0, JobState.FAILED: 1, JobState.EMBEDDING: 2, JobState.READING: 3, JobState.OCR: 5}
_TIMED = (JobState.READING, JobState.EMBEDDING, JobState.OCR)  # stages that take a predictable time


@dataclass(frozen=True, slots=True)
class _Bar:
    """A progress bar; indeterminate if `total` is 0."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A file being added. Only its owner can cancel, dismiss or unlock it."""

    id: int
    name: str
    start: str  # of the name, cut off if there is no room
    end: str
    state: str
    own: bool
    progress: str
    bar: _Bar | None
    message: str  # "" for none


@dataclass(frozen=True, slots=True)
class _Strip:
    """The combined progress of all files."""

    progress: str  # "47 of 200 · 1 min left"
    percent: int
    now: str  # what is being done with one of the files


@dataclass(frozen=True, slots=True)
class _Group:
    """Files being added, of which at most MAX_SHOWN_JOBS are shown."""

    jobs: tuple[_Job, ...]
    count: int

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.count - len(self.jobs)


def library_html(engine: Engine, session: Session) -> Markup:
    """How to add files, and the files being added. Redrawn often, so it contains no long list.

    With several files, one strip shows the progress, and failed ones are folded. Those that need a password are always
    shown.
    """
    shared = shared_with(engine, session)
    jobs = sorted(engine.jobs(session.owner), key=lambda job: (_JOB_ORDER.get(job.state, 4), job.id))
    failed = [job for job in jobs if job.state is JobState.FAILED]
    unfinished = [job for job in jobs if job.state not in (JobState.FAILED, JobState.LOCKED)]
    strip = _strip(engine, session, unfinished)
    folds = strip is not None or len(failed) > MAX_OPEN_FAILURES
    open_jobs = [job for job in jobs if job.state is JobState.LOCKED]
    open_jobs += ([] if folds else failed) + ([] if strip else unfinished)
    return render(
        "library.html",
        session.language,
        limit_bytes=engine.settings.limits.file_bytes,
        problem=session.problem,
        adds=session.role.may(Right.ADD),
        with_logins=session.owner != "",
        places=upload_places(session, shared),
        strip=strip,
        open_jobs=_group(open_jobs, session, shared),
        adding=_group(unfinished if strip else [], session, shared),
        failed=_group(failed if folds else [], session, shared),
    )


def _strip(engine: Engine, session: Session, unfinished: list[Job]) -> _Strip | None:
    """The progress strip; None unless several files are being added."""
    adding, language = engine.adding(session.owner), session.language
    if adding is None or adding.total < 2 or not unfinished:
        return None
    words = [say(language, "files_added", done=adding.done, total=adding.total)]
    if adding.seconds_left is not None:
        words.append(say(language, "left", time=_duration(adding.seconds_left, language)))
    first = unfinished[0]
    now = say(language, "named_value", name=say(language, first.state.value), value=first.name)
    return _Strip(" · ".join(words), round(100 * adding.share), now)


def _group(jobs: list[Job], session: Session, shared: Shared) -> _Group:
    return _Group(tuple(_job(job, session, shared) for job in jobs[:MAX_SHOWN_JOBS]), len(jobs))


def _job(job: Job, session: Session, shared: Shared) -> _Job:
    language = session.language
    state = "job_failed" if job.state is JobState.FAILED else job.state.value
    return _Job(
        id=job.id,
        name=job.name,
        start=parts_of(job.name)[0],
        end=parts_of(job.name)[1],
        state=job.state.value,
        own=job.owner in (session.owner, *shared.editable) and session.role.may(Right.ADD),
        progress=" · ".join([say(language, state), *_progress_words(job, language)]),
        bar=_bar(job),
        message=_reason(job, language),
    )


def _reason(job: Job, language: Language) -> str:
    """A job's message without the file name, which the card already shows."""
    text = say_message(language, job.message) if job.message else ""
    return text.removeprefix(job.name).lstrip(":： ")


def _progress_words(job: Job, language: Language) -> list[str]:
    """How far a job has got, in words."""
    words = []
    if job.state is JobState.READING and job.pages:
        words.append(say(language, "pages_read", read=job.pages_read, pages=job.pages))
    elif job.state is JobState.READING and job.pages_read:
        words.append(say(language, "pages_read_unknown", read=job.pages_read))
    elif job.state is JobState.OCR:
        words.append(say(language, "scans_read", read=min(job.pages_read + 1, job.pages), pages=job.pages))
    elif job.state is JobState.EMBEDDING:
        words.append(say(language, "passages_embedded", embedded=job.passages_embedded, passages=job.passages))
        if job.passages_per_second > 0:
            words.append(say(language, "per_second", speed=f"{job.passages_per_second:.1f}"))
    if job.seconds_left is not None and job.state in _TIMED:
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
    if job.state in (JobState.READING, JobState.OCR):
        return _Bar(min(job.pages_read, job.pages), job.pages)
    if job.state is JobState.EMBEDDING:
        return _Bar(min(job.passages_embedded, job.passages), job.passages)
    return None
