"""The library as HTML: where files are dropped, files being added, the documents with their ticks."""

from __future__ import annotations

from rag.records import Choice, Document, Job, JobState, PageKind
from webui.conversation import Conversation
from webui.engine import Engine
from webui.strings import Language, say, say_message
from webui.views.markup import escape
from webui.views.status import choice_word

SHOWN_JOBS = 20  # a folder may bring thousands
FILTER_FROM = 8  # documents from which the list can be searched
_TOLD = (PageKind.SCANNED, PageKind.GARBLED, PageKind.EMPTY, PageKind.FAILED)


def library_html(engine: Engine, conversation: Conversation) -> str:
    """Above the documents: what is being added, and how to add more. Changes often, so it holds no long list."""
    language = conversation.language
    return "".join(
        (
            _drop(engine.settings.limits.file_bytes, language),
            f'<div class="notices" data-key="notices" data-keep role="alert"'
            f' data-dismiss="{escape(say(language, "dismiss_notice"))}"></div>',
            _problem(conversation),
            _jobs(engine.jobs(conversation.owner), conversation),
        )
    )


def documents_html(engine: Engine, conversation: Conversation) -> str:
    """The documents with their ticks, and what was picked for them."""
    language, documents = conversation.language, engine.documents(conversation.owner)
    title = f'<h2 class="unseen" data-key="title">{escape(say(language, "documents"))}</h2>'
    return title + _documents(documents, conversation) + _about(engine.choices(), language)


def _problem(conversation: Conversation) -> str:
    """Why the last thing done here failed."""
    if not conversation.problem:
        return ""
    label = escape(say(conversation.language, "dismiss_notice"))
    return (
        f'<div class="notices" data-key="problem" role="alert"><p dir="auto">{escape(conversation.problem)}'
        f'<button type="button" class="icon" data-do="refresh" aria-label="{label}">✕</button></p></div>'
    )


def _about(choices: tuple[Choice, ...], language: Language) -> str:
    """What was picked and why, for screens whose head has no room for it."""
    rows = "".join(
        f"<dt>{escape(choice_word(choice, language))}</dt><dd><b>{escape(choice.name)}</b> "
        f"{escape(str(choice.failed or choice.why))}</dd>"
        for choice in choices
    )
    title = escape(say(language, "status"))
    return f'<section class="about" data-key="about"><h2>{title}</h2><dl>{rows}</dl></section>'


def _drop(limit_bytes: int, language: Language) -> str:
    """The drop zone. Its words for the script are in attributes, so that the script holds none."""
    megabytes = limit_bytes // 1_000_000
    return (
        f'<label class="drop" data-key="drop" data-limit="{limit_bytes}"'
        f' data-sending="{escape(say(language, "sending"))}"'
        f' data-not-sent="{escape(say(language, "not_sent", name="{name}"))}"'
        f' data-too-large="{escape(say(language, "too_large", name="{name}", size="{size}", limit=megabytes))}">'
        f'<input type="file" accept="application/pdf,.pdf" multiple class="unseen"'
        f' aria-label="{escape(say(language, "add"))}">'
        f'<span class="plus" aria-hidden="true">+</span><span>{escape(say(language, "drop"))}'
        f"<small>{escape(say(language, 'drop_limit', megabytes=megabytes))}</small></span></label>"
        f'<div class="sending" data-key="sending" data-keep></div>'
    )


def _jobs(jobs: tuple[Job, ...], conversation: Conversation) -> str:
    if not jobs:
        return ""
    language = conversation.language
    order = {JobState.LOCKED: 0, JobState.FAILED: 1, JobState.EMBEDDING: 2, JobState.READING: 3}
    ranked = sorted(jobs, key=lambda job: (order.get(job.state, 4), job.id))
    rows = "".join(_job(job, language, own=job.owner == conversation.owner) for job in ranked[:SHOWN_JOBS])
    hidden = len(jobs) - SHOWN_JOBS
    more = f'<li class="more" data-key="more">{escape(say(language, "more_jobs", n=hidden))}</li>' if hidden > 0 else ""
    return f'<ul class="jobs" data-key="jobs">{rows}{more}</ul>'


def _job(job: Job, language: Language, *, own: bool) -> str:
    """A file on its way in; only its owner can give it up, dismiss or unlock it."""
    name = f'<bdi class="name" title="{escape(job.name)}">{escape(job.name)}</bdi>'
    key = "dismiss" if job.state is JobState.FAILED else "cancel"
    label = escape(say(language, key, name=job.name))
    away = (
        f'<button type="button" class="icon" data-do="cancel" data-job="{job.id}" aria-label="{label}"'
        f' title="{label}">✕</button>'
        if own
        else ""
    )
    state = "job_failed" if job.state is JobState.FAILED else job.state.value
    line = f'<p class="state">{escape(" · ".join([say(language, state), *_progress_words(job, language)]))}</p>'
    message = f'<p class="message" dir="auto">{escape(say_message(language, job.message))}</p>' if job.message else ""
    return (
        f'<li class="job {job.state.value}" data-key="job-{job.id}"><div class="row">{name}{away}</div>'
        f"{line}{_bar(job, language)}{message}{_password(job, language) if own else ''}</li>"
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
        words.append(say(language, "left", time=_time(job.seconds_left, language)))
    return words


def _time(seconds: float, language: Language) -> str:
    if seconds < 60:
        return say(language, "seconds", n=max(round(seconds), 1))
    if seconds < 3600:
        return say(language, "minutes", n=round(seconds / 60))
    return say(language, "hours", n=f"{seconds / 3600:.1f}")


def _bar(job: Job, language: Language) -> str:
    if job.state not in (JobState.READING, JobState.EMBEDDING, JobState.WAITING):
        return ""
    done, total = job.pages_read, job.pages
    if job.state is JobState.EMBEDDING:
        done, total = job.passages_embedded, job.passages
    value = f' value="{min(done, total)}" max="{total}"' if total else ""
    if job.state is JobState.WAITING:
        value = ' value="0" max="1"'
    return f'<progress{value} aria-label="{escape(say(language, "progress", name=job.name))}"></progress>'


def _password(job: Job, language: Language) -> str:
    if job.state is not JobState.LOCKED:
        return ""
    label, hint = (say(language, key, name=job.name) for key in ("password", "password_hint"))
    return (
        f'<form class="unlock" data-do="unlock" data-job="{job.id}"><input type="password" required'
        f' autocomplete="off" aria-label="{escape(label)}" placeholder="{escape(hint)}">'
        f'<button type="submit" class="small">{escape(say(language, "unlock"))}</button></form>'
    )


def _documents(documents: tuple[Document, ...], conversation: Conversation) -> str:
    language = conversation.language
    if not documents:
        return (
            f'<div class="empty" data-key="no-documents"><p><b>{escape(say(language, "no_documents"))}</b></p>'
            f"<p>{escape(say(language, 'no_documents_hint'))}</p></div>"
        )
    rows = "".join(_document(document, conversation) for document in documents)
    chosen = sum(document.id not in conversation.left_out for document in documents)
    count = say(language, "ask_these", chosen=chosen, all=len(documents))
    search = ""
    if len(documents) >= FILTER_FROM:
        label = escape(say(language, "filter"))
        search = f'<input type="search" class="filter" data-key="filter" aria-label="{label}" placeholder="{label}">'
    return (
        f'<div class="scope" data-key="scope"><span>{escape(count)}</span>'
        f'<button type="button" class="quiet" data-do="choose-all">{escape(say(language, "all"))}</button>'
        f'<button type="button" class="quiet" data-do="choose-none">{escape(say(language, "none"))}</button></div>'
        f'{search}<ul class="documents" data-key="documents">{rows}</ul>'
    )


def _document(document: Document, conversation: Conversation) -> str:
    language, name = conversation.language, escape(document.name)
    ticked = "" if document.id in conversation.left_out else " checked"
    ask = escape(say(language, "ask_document", name=document.name))
    notes = ""
    if document.notes:
        lines = "".join(f"<li>{escape(say_message(language, note))}</li>" for note in document.notes)
        notes = f'<details class="notes"><summary>{escape(say(language, "notes"))}</summary><ul>{lines}</ul></details>'
    return (
        f'<li class="document" data-key="document-{escape(document.id)}"><label>'
        f'<input type="checkbox" data-do="choose" data-document="{escape(document.id)}"'
        f' aria-label="{ask}"{ticked}>'
        f'<span><bdi class="name" title="{name}">{name}</bdi>'
        f"<small>{escape(kinds_report(document, language))}</small></span></label>"
        f"{_remove(document, conversation)}{notes}</li>"
    )


def kinds_report(document: Document, language: Language) -> str:
    """What reading it gave: "142 pages · 3 scanned"."""
    pages = say(language, "page_one") if document.pages == 1 else say(language, "pages", n=document.pages)
    told = [say(language, f"kind_{kind}", n=document.kinds[kind]) for kind in _TOLD if document.kinds.get(kind)]
    return " · ".join([pages, *told])


def _remove(document: Document, conversation: Conversation) -> str:
    language = conversation.language
    if document.owner != conversation.owner:  # shared documents are removed by whoever runs the program
        return f'<span class="badge">{escape(say(language, "shared"))}</span>'
    label = escape(say(language, "remove", name=document.name))
    return (
        f'<button type="button" class="icon remove" data-do="remove" data-document="{escape(document.id)}"'
        f' data-sure="{escape(say(language, "remove_sure"))}" aria-label="{label}" title="{label}">✕</button>'
    )
