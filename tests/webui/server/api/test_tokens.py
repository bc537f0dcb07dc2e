"""API tokens: what is kept of them, who they belong to, and how they end."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.errors import SettingRefused, StoreError
from webui.server.api.tokens import FILE, ApiTokens


def test_a_token_is_its_users_until_it_is_revoked(tmp_path):
    tokens = ApiTokens(tmp_path)
    first, second = tokens.create("ann"), tokens.create("bob")
    assert (tokens.user(first), tokens.user(second)) == ("ann", "bob")
    for wrong in ("", first[:-1], first + "x", first.upper(), tokens.all()[0].digest, "ask-"):
        assert tokens.user(wrong) is None
    assert tokens.revoke(tokens.all()[0].id) == 1
    assert (tokens.user(first), tokens.user(second)) == (None, "bob")
    assert tokens.revoke("nobody") == 0


def test_all_tokens_of_a_user_are_revoked_by_name(tmp_path):
    tokens = ApiTokens(tmp_path)
    made = [tokens.create("ann"), tokens.create("ann"), tokens.create("bob")]
    assert tokens.revoke("ann") == 2
    assert [tokens.user(token) for token in made] == [None, None, "bob"]


def test_tokens_made_at_the_same_time_are_all_kept(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda number: ApiTokens(tmp_path).create(f"user {number}"), range(24)))
    assert [ApiTokens(tmp_path).user(token) for token in made] == [f"user {number}" for number in range(24)]


def test_the_file_holds_no_token_and_nobody_else_may_read_it(tmp_path):
    token = ApiTokens(tmp_path).create("ann")
    file = tmp_path / FILE
    assert token.removeprefix("ask-") not in file.read_text("utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_what_another_process_makes_and_revokes_is_seen_at_once(tmp_path):
    serving, terminal = ApiTokens(tmp_path), ApiTokens(tmp_path)
    assert serving.user("x") is None
    token = terminal.create("ann")
    assert serving.user(token) == "ann"
    terminal.revoke("ann")
    assert serving.user(token) is None


@pytest.mark.parametrize("content", ["{", "[1]", '[{"id": "x"}]', "{}x", '{"a": 1}', "\x00"])
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(tmp_path, content, caplog):
    tokens = ApiTokens(tmp_path)
    token = tokens.create("ann")
    (tmp_path / FILE).write_text(content, "utf-8")
    assert tokens.user(token) is None
    assert "make the tokens again" in caplog.text
    with pytest.raises(StoreError, match="cannot be read"):
        tokens.create("bob")
    assert (tmp_path / FILE).read_text("utf-8") == content


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(SettingRefused):
        ApiTokens(tmp_path).create(name)
    assert not (tmp_path / FILE).exists()


def test_two_tokens_are_never_the_same(tmp_path):
    tokens = ApiTokens(tmp_path)
    made = {tokens.create("ann") for _ in range(20)}
    assert len(made) == 20
    assert len({token.id for token in tokens.all()}) == 20
    assert len(json.loads((tmp_path / FILE).read_text("utf-8"))) == 20
