"""The login page, and the page for one's account: whole documents without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from rag.messages import Message
from webui.accounts.passwords import MIN_CHARACTERS
from webui.accounts.roles import Role
from webui.accounts.users import User
from webui.strings import Language, say
from webui.views.render import render

ROLE_WORDS: Final = {  # name of a role, and what it may do
    Role.ADMINISTRATOR: ("role_administrator", "role_administrator_hint"),
    Role.EDITOR: ("role_editor", "role_editor_hint"),
    Role.READER: ("role_reader", "role_reader_hint"),
}


def login_html(
    language: Language,
    *,
    to: str = "",
    name: str = "",
    problem: Message | None = None,
    provider: str = "",
    embedded: bool = False,
) -> Markup:
    """The login page.

    `to`: address to go to afterwards, relative to the page; `provider`: where people may log in instead; `embedded`:
    other sites may show the page in a frame, which a provider refuses.
    """
    elsewhere = f"login/provider?{urlencode({'to': to})}"
    return render(
        "login.html",
        language,
        to=to,
        name=name,
        problem=problem,
        provider=provider,
        elsewhere=elsewhere,
        embedded=embedded,
    )


def account_html(
    language: Language,
    *,
    name: str,
    role: Role,
    own_password: bool,
    users: Sequence[User] | None,
    quick: bool,
    problem: Message | None,
    done: str,
) -> Markup:
    """The page for one's account.

    `users`: those of the database, for people who may manage them; `quick`: `--auth` names others.
    """
    return render(
        "account.html",
        language,
        name=name,
        role=[say(language, key) for key in ROLE_WORDS[role]],
        roles=[(one.value, say(language, ROLE_WORDS[one][0])) for one in Role],
        own_password=own_password,
        users=users,
        quick=quick,
        problem=problem,
        done=done,
        characters=MIN_CHARACTERS,
    )
