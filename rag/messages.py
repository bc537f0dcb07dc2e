"""A sentence for people: an English template and its values, so that the page can show it in another language.

As in gettext, the English template is the key to a translation. Imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Union

Value = Union[str, int, float, "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """`template` as `str.format` takes it. `values` may be untrusted text, or other messages."""

    template: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.values) if self.values else self.template

    def to_json(self) -> dict[str, Any]:
        """Plain data, for storing."""
        values = {name: value.to_json() if isinstance(value, Message) else value for name, value in self.values.items()}
        return {"template": self.template, "values": values}

    @classmethod
    def from_json(cls, data: Any) -> Message:
        """The inverse of `to_json`. A plain text, as stored by older versions, becomes a message without values."""
        if isinstance(data, str):
            return cls(data)
        values = {
            name: cls.from_json(value) if isinstance(value, dict) else value for name, value in data["values"].items()
        }
        return cls(data["template"], values)


AS_REQUESTED: Final = Message("as requested")  # why something was chosen
