"""Every message that the page may show has its Chinese, and there is no Chinese of a message that is gone."""

from string import Formatter

import pytest

from rag.errors import PasswordNeeded
from rag.messages import Message
from tests.templates import ROOT, modules, templates
from webui.strings import chinese_messages, say_message

IN_CODE = {text for path in modules() for _, text in templates(path) if text}


def fields(template):
    return {(name, conversion) for _, name, _, conversion in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_are_written_out_where_messages_are_made(path):
    if path.name == "errors.py":
        return  # where every error makes its message from what it is given
    assert [line for line, text in templates(path) if text is None] == []


def test_the_templates_of_all_packages_are_found():
    assert len(IN_CODE) > 150
    for known in ("Add a document first, then ask your question.", "{name}: {reason}", "{precision} as requested"):
        assert known in IN_CODE


def test_every_message_has_its_chinese_and_every_chinese_its_message():
    assert sorted(IN_CODE - chinese_messages().keys()) == []
    assert sorted(chinese_messages().keys() - IN_CODE) == []


@pytest.mark.parametrize("english", sorted(chinese_messages()))
def test_the_chinese_has_the_same_fields(english):
    chinese = chinese_messages()[english]
    assert fields(chinese) == fields(english)


def test_messages_inside_messages_are_translated_too():
    reason = PasswordNeeded("It is protected: type its password to add it.").message
    message = Message("{name}: {reason}", {"name": "<b>.pdf", "reason": reason})
    assert say_message("zh", message) == f"<b>.pdf：{chinese_messages()[reason.template]}"
    assert say_message("en", message) == "<b>.pdf: It is protected: type its password to add it."


def test_a_message_without_translation_is_said_in_english():
    assert say_message("zh", Message("Brand new: {n}", {"n": 3})) == "Brand new: 3"
