"""Users, their passwords, sessions and roles."""

import argparse
import logging
import sqlite3

import pytest

from rag.errors import LoginRefused, NotAllowed, SettingRefused
from rag.options import parse
from tests.webui.fake_engine import FakeEngine
from webui.accounts.accounts import IDLE_SECONDS, MAX_SECONDS, Accounts
from webui.accounts.brake import FREE, LINES, LINES_SECONDS, MAX_DELAY, Brake, RefusalLog
from webui.accounts.erasing import erasing
from webui.accounts.passwords import Passwords
from webui.accounts.roles import Right, Role, check
from webui.accounts.users import Users
from webui.commands import change_users
from webui.server.api.tokens import ApiTokens

PASSWORD = "correct horse"
HERE = "198.51.100.7"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def users(tmp_path):
    return Users(tmp_path)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(users, clock):
    Accounts(users).add_user("ann", PASSWORD, Role.EDITOR)
    return Accounts(users, clock=clock)


def test_passwords_are_argon2id_hashes_in_a_file_that_nobody_else_reads(users, tmp_path):
    Accounts(users).add_user("ann", PASSWORD, Role.EDITOR)
    stored = (tmp_path / "accounts.sqlite").read_bytes()
    assert b"$argon2id$" in stored
    assert PASSWORD.encode() not in stored
    assert (tmp_path / "accounts.sqlite").stat().st_mode & 0o077 == 0


def test_the_same_password_has_another_hash_each_time():
    passwords = Passwords()
    assert passwords.hash("sésame") != passwords.hash("sésame")
    assert passwords.matches(passwords.hash("sésame"), "sésame")
    assert not passwords.matches(passwords.hash("sésame"), "sésam")
    assert not passwords.matches(passwords.hash("x"), "\ud800")


def test_an_unknown_user_costs_a_hash_too(accounts, monkeypatch):
    verified = []
    monkeypatch.setattr("argon2.PasswordHasher.verify", lambda self, stored, password: verified.append(stored))
    with pytest.raises(LoginRefused):
        accounts.log_in("eve", "", HERE)
    assert len(verified) == 1


def test_sessions_end_when_nobody_uses_them_and_in_any_case_after_a_while(accounts, clock):
    idle, busy = accounts.log_in("ann", PASSWORD, HERE), accounts.log_in("ann", PASSWORD, HERE)
    began = clock.now
    while clock.now - began < MAX_SECONDS - IDLE_SECONDS:
        clock.now += IDLE_SECONDS - 1
        assert accounts.user_of(busy) == "ann"
    assert accounts.user_of(idle) is None
    clock.now = began + MAX_SECONDS + 1
    assert accounts.user_of(busy) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda users: users.remove("ann"), id="removed"),
        pytest.param(lambda users: users.set_password("ann", Passwords().hash("another one")), id="new password"),
        pytest.param(lambda users: users.end_sessions("ann"), id="logged out everywhere"),
    ],
)
def test_what_another_process_changes_ends_the_sessions_at_once(accounts, tmp_path, change):
    token = accounts.log_in("ann", PASSWORD, HERE)
    change(Users(tmp_path))
    assert accounts.user_of(token) is None


def test_a_user_who_comes_back_finds_old_sessions_ended(accounts, users):
    token = accounts.log_in("ann", PASSWORD, HERE)
    accounts.remove_user("ann")
    accounts.add_user("ann", PASSWORD, Role.READER)
    assert accounts.user_of(token) is None


def test_logging_out_everywhere_spares_others_and_works_for_users_of_auth(users):
    accounts = Accounts(users, {"ann": "a", "bob": "b"})
    first, second, bobs = (accounts.log_in(*who, HERE) for who in (("ann", "a"), ("ann", "a"), ("bob", "b")))
    accounts.log_out(first)
    assert (accounts.user_of(first), accounts.user_of(second)) == (None, "ann")
    accounts.log_out_everywhere("ann")
    assert (accounts.user_of(second), accounts.user_of(bobs)) == (None, "bob")
    assert accounts.user_of(None) is accounts.user_of("") is accounts.user_of("\ud800") is None


def test_a_changed_password_is_the_only_one_that_opens(accounts):
    old = accounts.log_in("ann", PASSWORD, HERE)
    with pytest.raises(LoginRefused):
        accounts.change_password("ann", "wrong", "longer than before", HERE)
    with pytest.raises(SettingRefused, match="at least 8"):
        accounts.change_password("ann", PASSWORD, "short", HERE)
    new = accounts.change_password("ann", PASSWORD, "longer than before", HERE)
    assert (accounts.user_of(old), accounts.user_of(new)) == (None, "ann")
    with pytest.raises(LoginRefused):
        accounts.log_in("ann", PASSWORD, HERE)


def test_each_wrong_password_doubles_the_delay_up_to_a_limit(clock):
    brake, waits = Brake(clock), []
    for _ in range(30):
        while wait := brake.begin("ann", HERE):
            waits.append(wait)
            clock.now += wait
    doubled = waits[:8]
    assert doubled == [2**n for n in range(8)]
    assert max(waits) == MAX_DELAY


def test_the_delay_is_that_of_the_name_from_every_address_and_of_the_address_for_every_name(clock):
    brake = Brake(clock)
    spread = [brake.begin("ann", f"198.51.100.{n}") for n in range(100)]
    assert spread.count(0) == FREE["name"]
    assert brake.begin("bob", "198.51.100.1") == 0
    sprayed = [brake.begin(f"user {n}", HERE) for n in range(100)]
    assert sprayed.count(0) == FREE["address"]


def test_a_right_password_frees_the_name_but_not_an_address_that_tries_others(clock):
    brake = Brake(clock)
    for n in range(FREE["address"] - 1):
        brake.begin(f"user {n}", HERE)
    for _ in range(5):
        assert brake.begin("ann", HERE) == 0
        brake.succeeded("ann", HERE)
    assert brake.begin("one more", HERE) == 0
    assert brake.begin("ann", HERE) > 0


def test_the_table_of_failures_is_bounded(clock, monkeypatch):
    monkeypatch.setattr("webui.accounts.brake.MAX_KEYS", 100)
    brake = Brake(clock)
    for n in range(1_000):
        brake.begin(f"user {n}", f"address {n}")
    assert len(brake._failures) == 100


def test_the_log_tells_of_wrong_passwords_and_never_the_password_or_an_unknown_name(accounts, caplog):
    caplog.set_level(logging.INFO)
    for name in ("ann", "hunter2-typed-into-the-name"):
        for _ in range(FREE["name"] + 1):
            with pytest.raises(LoginRefused):
                accounts.log_in(name, "hunter2", HERE)
    assert "Wrong password for 'ann' from 198.51.100.7" in caplog.text
    assert "refused: the next try is in 1 s" in caplog.text
    assert "hunter2" not in caplog.text


def test_the_first_user_manages_the_others():
    rights = {role: {right for right in Right if role.may(right)} for role in Role}
    assert rights[Role.ADMINISTRATOR] == set(Right)
    assert rights[Role.EDITOR] == {Right.ADD}
    assert rights[Role.READER] == set()
    with pytest.raises(NotAllowed):
        check(Role.EDITOR, "pick")
    check(Role.READER, "open")


def command(folder, *arguments, password=PASSWORD):
    options = parse(["--data-dir", str(folder), *arguments], {})
    assert isinstance(options, argparse.Namespace)
    return change_users(options, ask=lambda: password)


def test_users_are_added_listed_changed_and_removed_on_the_command_line(tmp_path, capsys):
    assert not command(tmp_path)
    command(tmp_path, "--add-user", "ann")
    command(tmp_path, "--add-user", "李雷", "--role", "reader")
    command(tmp_path, "--set-role", "李雷", "--role", "editor")
    command(tmp_path, "--set-password", "ann", password="another one")
    capsys.readouterr()
    command(tmp_path, "--list-users")
    listed = [(line.split()[0], line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert listed == [("administrator", "ann"), ("editor", "李雷")]
    accounts = Accounts(Users(tmp_path))
    assert accounts.log_in("ann", "another one", HERE)
    command(tmp_path, "--remove-user", "李雷")
    assert "李雷" not in Accounts(Users(tmp_path))


def test_whoever_removes_the_last_administrator_or_user_is_told(tmp_path, capsys):
    command(tmp_path, "--add-user", "ann")
    command(tmp_path, "--add-user", "bob")
    command(tmp_path, "--set-role", "bob", "--role", "reader")
    assert "administrator now" not in capsys.readouterr().err
    command(tmp_path, "--remove-user", "ann")
    assert "Nobody is an administrator now" in capsys.readouterr().err
    command(tmp_path, "--remove-user", "bob")
    assert "asks for no logins" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (["--add-user", "bob"], "short", "at least 8"),
        (["--add-user", "bob"], "x" * 2_000, "longer than 1,024 bytes"),
        (["--add-user", "ann"], PASSWORD, "already"),
        (["--add-user", "a\nb"], PASSWORD, "printable"),
        (["--add-user", "x" * 65], PASSWORD, "1 to 64"),
        (["--remove-user", "eve"], "", "no user 'eve'"),
        (["--set-role", "ann"], "", "needs --role"),
    ],
)
def test_what_cannot_be_done_is_said_without_the_password(tmp_path, arguments, password, sentence):
    command(tmp_path, "--add-user", "ann")
    with pytest.raises(SettingRefused, match=sentence) as refused:
        command(tmp_path, *arguments, password=password)
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize("role", ["owner", "root", "Reader"])
def test_a_role_that_does_not_exist_is_refused(role):
    with pytest.raises(SettingRefused, match="--role takes one of administrator"):
        parse(["--role", role], {})


def test_a_new_user_of_a_removed_users_name_is_somebody_else(accounts, tmp_path):
    token = accounts.log_in("ann", PASSWORD, HERE)
    assert accounts.user_of(token) == "ann"
    accounts.remove_user("ann")
    assert accounts.user_of(token) is None
    assert accounts.to_erase() == ("ann",)
    accounts.add_user("ann", PASSWORD, Role.EDITOR)
    again = accounts.user_of(accounts.log_in("ann", PASSWORD, HERE))
    assert again not in (None, "ann")
    assert "ann" not in accounts
    assert (accounts.name_of(again), accounts.id_of("ann"), accounts.role("ann")) == ("ann", again, Role.READER)
    engine = FakeEngine(tmp_path / "data")
    tokens = ApiTokens(engine.settings.data_dir)
    _, kept = tokens.create("ann"), tokens.create(again)
    with erasing(accounts, engine):
        assert engine.erased == [("ann", "login:ann")]
    assert accounts.to_erase() == ()
    assert [token.user for token in tokens.all()] == [tokens.user(kept)] == [again]
    engine.close()


def test_users_of_an_older_database_keep_what_is_theirs(tmp_path):
    with sqlite3.connect(tmp_path / "accounts.sqlite") as sql:
        sql.execute(
            "CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL,"
            " generation INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL) WITHOUT ROWID"
        )
        sql.execute("INSERT INTO users VALUES ('ann', 'editor', ?, 7, 1.0)", (Passwords().hash(PASSWORD),))
    sql.close()
    accounts = Accounts(Users(tmp_path))
    assert accounts.user_of(accounts.log_in("ann", PASSWORD, HERE)) == "ann"


def test_thousands_of_refused_logins_fill_no_log(caplog, clock):
    log = RefusalLog(logging.getLogger("refusals"), clock)
    for _ in range(5_000):
        log.warn("Wrong password for %s", "ann")
    assert len(caplog.records) == LINES
    clock.now += LINES_SECONDS
    log.warn("Wrong password for %s", "ben")
    assert [record.getMessage() for record in caplog.records[LINES:]] == [
        f"{5_000 - LINES} more refused logins were not logged one by one",
        "Wrong password for ben",
    ]
