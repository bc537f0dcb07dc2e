"""Commands that manage users and API tokens. Each does one thing and ends the program."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Callable, Mapping

from rag.errors import SettingRefused
from rag.options import logins_of
from webui.accounts.accounts import Accounts
from webui.accounts.provider import Provider
from webui.accounts.roles import Role
from webui.accounts.users import Users, name_in
from webui.server.api.tokens import ApiTokens

AskPassword = Callable[[], str]


def run_command(options: argparse.Namespace) -> bool:
    """Run the command that was given, if it is one of these. Raises SettingRefused and StoreError."""
    return change_users(options) or change_tokens(options)


def accounts_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Accounts:
    """The logins that follow from the data folder, `--auth` and a Space's environment.

    Raises SettingRefused and StoreError.
    """
    users, quick = Users(options.settings.data_dir), logins_of(options.auth)
    return Accounts(users, quick, provider=Provider.of(environment))


def change_users(options: argparse.Namespace, ask: AskPassword | None = None) -> bool:
    """Add, list, change or remove users. `ask` returns the password, by default from the terminal or standard input."""
    users = Users(options.settings.data_dir)
    ask = ask or asked_password
    if options.list_users:
        for user in users.all():
            sys.stdout.write(f"{user.role:13}  {_day(user.created)}  {user.name}\n")
        return True
    if name := options.add_user:
        is_first = not users.all()
        # The first user manages the others.
        role = Role(options.role or (Role.ADMINISTRATOR if is_first else Role.EDITOR))
        Accounts(users).add_user(name, ask(), role)
        _tell(f"{name} can log in, as {role}.")
        if is_first:
            _tell("This is the first user: a server that is running asks for logins from its next start on.")
    elif name := options.set_password:
        Accounts(users).set_password(name, ask())
        _tell(f"The password of {name} is changed, and their sessions have ended.")
    elif name := options.set_role:
        if not options.role:
            raise SettingRefused("--set-role needs --role: administrator, editor or reader.")
        users.set_role(name, Role(options.role))
        _tell(f"{name} is now: {options.role}.")
        _tell_who_is_missing(users)
    elif name := options.remove_user:
        users.remove(name)
        _tell(f"{name} is removed. The server erases their documents and conversations within a minute.")
        _tell_who_is_missing(users)
    else:
        return False
    return True


def _tell_who_is_missing(users: Users) -> None:
    left = users.all()
    if not left:
        _tell("No user is left: without --auth, the server asks for no logins from its next start on.")
    elif not any(user.role == Role.ADMINISTRATOR for user in left):
        _tell("Nobody is an administrator now: --set-role NAME --role administrator makes one.")


def change_tokens(options: argparse.Namespace) -> bool:
    """Create, list or revoke API tokens."""
    tokens = ApiTokens(options.settings.data_dir)
    if options.api_token:
        accounts = accounts_of(options, {})
        user = accounts.id_of(options.api_token) if accounts.needed else options.api_token
        if user is None:
            raise SettingRefused("There is no user {name!r}: choose one that can log in.", name=options.api_token)
        sys.stdout.write(tokens.create(user) + "\n")
        _tell("This token is not shown again. Send it as the header “Authorization: Bearer TOKEN”.")
    elif options.list_api_tokens:
        for token in tokens.all():
            sys.stdout.write(f"{token.id}  {_day(token.created)}  {name_in(token.user)}\n")
    elif options.revoke_api_token:
        if not tokens.revoke(options.revoke_api_token):
            raise SettingRefused(
                "There is no API token {name!r}: --list-api-tokens lists them.", name=options.revoke_api_token
            )
    else:
        return False
    return True


def asked_password() -> str:
    """A password typed twice at a terminal, else the first line of standard input. Raises SettingRefused."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise SettingRefused("The two passwords differ: try again.")
    return password


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def _tell(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
