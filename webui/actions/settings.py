"""Actions on a person's settings: change one, restore the defaults, choose the conversation's reader."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.errors import SettingRefused
from rag.manner import MAX_INSTRUCTION_CHARACTERS, AnswerLanguage, AnswerLength, Manner, default_instruction
from rag.preferences import DEFAULT_PREFERENCES, MAX_SOURCES, MAX_TEMPERATURE, Preferences, Strictness
from webui.engine import Engine
from webui.session import Session


def change_settings(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Do what the dialog sent. Raises AskError."""
    match data.get("do"):
        case "setting" if data.get("name") == "reader":
            session.conversation.quotes = data.get("value") == "quotes"
            session.keep()
        case "setting":
            name, value = str(data.get("name")), data.get("value")
            session.prefer(engine, lambda before: changed_preferences(before, name, value))
        case "default-settings":
            session.prefer(engine, lambda before: DEFAULT_PREFERENCES)
            session.conversation.quotes = False
            session.keep()


def changed_preferences(before: Preferences, name: str, value: object) -> Preferences:
    """Preferences with one value changed. Raises SettingRefused for a value that our page never sends."""
    text = value if isinstance(value, str) else ""
    try:
        match name:
            case "sources":
                return replace(before, sources=int(_number(text, 1, MAX_SOURCES)) if text else None)
            case "temperature":
                return replace(before, temperature=_number(text, 0, MAX_TEMPERATURE) if text else None)
            case "strictness":
                return replace(before, strictness=Strictness(text))
            case "length" | "language" | "english" | "chinese":
                return replace(before, manner=_manner(before.manner, name, text))
            case "follow_ups":
                return replace(before, follow_ups=value is True)
            case "reasons":
                return replace(before, reasons=value is True)
    except ValueError:
        pass
    raise no_such_setting()


def no_such_setting() -> SettingRefused:
    """The error for a setting that the page does not offer."""
    return SettingRefused("This setting cannot have that value: reload the page and choose again.")


def _manner(before: Manner, name: str, text: str) -> Manner:
    """The manner with one field changed. Raises ValueError and SettingRefused."""
    match name:
        case "length":
            return replace(before, length=AnswerLength(text))
        case "language":
            return replace(before, language=AnswerLanguage(text))
        case "english":
            return replace(before, english=_instruction(text, in_chinese=False))
        case _:
            return replace(before, chinese=_instruction(text, in_chinese=True))


def _number(text: str, lowest: float, highest: float) -> float:
    """Raises ValueError if the text is not a number in this range."""
    number = float(text)
    if not lowest <= number <= highest:
        raise ValueError(text)
    return number


def _instruction(text: str, *, in_chinese: bool) -> str:
    """The instruction that the person wrote; "" if it is the default one. Raises SettingRefused."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_INSTRUCTION_CHARACTERS:
        raise SettingRefused(
            "The instruction has {characters:,} characters, the limit is {limit:,}: shorten it.",
            characters=len(text),
            limit=MAX_INSTRUCTION_CHARACTERS,
        )
    return "" if text == default_instruction(in_chinese=in_chinese) else text
