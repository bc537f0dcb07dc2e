"""The handlers of a page without Gradio: what they return is keyed by the names of the parts."""

from dataclasses import fields
from types import SimpleNamespace

from webui.accounts.roles import Role
from webui.answering import Answers
from webui.drawing import Parts
from webui.handlers import Handlers, People

PARTS = Parts(**{field.name: field.name for field in fields(Parts)})
REQUEST = SimpleNamespace(cookies={}, headers={}, username=None, session_hash="s")


def handlers(engine, models=None, role=Role.ADMINISTRATOR):
    answers = Answers(engine, raise_errors=True)
    return Handlers(engine, PARTS, answers, models, people=People(lambda owner: role), raise_errors=True)


def sent(**data):
    """An event of page.js."""
    return SimpleNamespace(_data=data)
