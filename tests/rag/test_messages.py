"""Messages: a template and its values, wherever they are kept and in whatever language they are said."""

from __future__ import annotations

import json

import pytest

from rag.errors import FileRefused, LimitExceeded
from rag.messages import Message

NESTED = Message("{name}: {reason}", {"name": "a{b}.pdf", "reason": Message("{n:,} pages", {"n": 12_000})})


def test_values_are_put_in_with_their_format():
    assert str(NESTED.values["reason"]) == "12,000 pages"


def test_values_are_text_and_never_templates():
    assert str(Message("{name} is refused.", {"name": "{name}{0}"})) == "{name}{0} is refused."


def test_a_template_without_values_may_hold_braces():
    assert str(Message("a {b")) == "a {b"


@pytest.mark.parametrize("message", [Message("plain"), NESTED, Message("{x:.1f}", {"x": 0.25})])
def test_a_stored_message_comes_back_equal(message):
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message


def test_text_of_older_versions_is_a_message():
    assert Message.from_json("It is empty.") == Message("It is empty.")


def test_an_error_keeps_its_message_and_reads_as_a_sentence():
    error = LimitExceeded("It has {pages:,} pages.", pages=12_000)
    assert str(error) == "It has 12,000 pages."
    named = FileRefused("{name}: {reason}", name="a.pdf", reason=error.message)
    assert str(named) == "a.pdf: It has 12,000 pages."
