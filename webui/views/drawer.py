"""The drawer, which lists the person's conversations by date, and the notice above the question box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import groupby

from markupsafe import Markup

from rag.store.conversations import StoredConversation
from webui.session import Session
from webui.strings import Language, say
from webui.views.links import EXPORT_FORMATS
from webui.views.render import render

MAX_UTC_OFFSET = 16 * 60  # minutes; no time zone is further from Greenwich


@dataclass(frozen=True, slots=True)
class _Row:
    """A conversation in the list."""

    id: str
    title: str
    when: str  # the time if it was today, else the date
    shown: bool


def drawer_html(session: Session) -> Markup:
    """Which conversation the page shows and, while the drawer is open, the list of all."""
    drawer, conversation = session.drawer, session.conversation
    if drawer.is_too_late:
        drawer.deleted = None
    listed: list[StoredConversation] = []
    if drawer.open and session.own:
        listed = session.own.stored.listed(session.own.owner, drawer.search, drawer.most + 1)
    return render(
        "drawer.html",
        session.language,
        conversation=conversation,
        loaded=session.loaded,
        open=drawer.open,
        searched=bool(drawer.search),
        groups=list(_groups(listed[: drawer.most], session)),
        more=len(listed) > drawer.most,
        deleted=drawer.deleted,
        formats=EXPORT_FORMATS,
    )


def note_html(session: Session) -> Markup:
    """Why a different conversation is shown, or why this one could not be stored."""
    notes = [note for note in (session.notice, session.conversation.problem) if note]
    return render("note.html", session.language, notes=notes)


def _groups(listed: list[StoredConversation], session: Session) -> Iterator[tuple[str, list[_Row]]]:
    """The conversations grouped by how long ago the last question was, each group under its name."""
    offset = max(-MAX_UTC_OFFSET, min(session.drawer.utc_offset, MAX_UTC_OFFSET))
    zone = timezone(timedelta(minutes=offset))
    today = datetime.now(UTC).astimezone(zone).date()
    rows = [(datetime.fromtimestamp(one.changed, zone), one) for one in listed]
    for key, group in groupby(rows, lambda row: _age(row[0].date(), today)):
        yield (
            say(session.language, key),
            [
                _Row(one.id, one.title, _when(when, today, session.language), one.id == session.conversation.id)
                for when, one in group
            ],
        )


def _age(day: date, today: date) -> str:
    """Key of the word for how long ago a day was."""
    days = (today - day).days
    if days < 1:
        return "today"
    return "yesterday" if days == 1 else "last_week" if days < 7 else "last_month" if days < 30 else "older"


def _when(when: datetime, today: date, language: Language) -> str:
    if when.date() == today:
        return f"{when:%H:%M}"
    if when.year == today.year:
        return say(language, "day", day=when.day, month=when.month if language == "zh" else f"{when:%b}")
    return f"{when:%Y-%m-%d}"
