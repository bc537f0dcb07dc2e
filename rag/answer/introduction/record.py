"""The introduction of a document as a record, to and from JSON, so that it can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

VERSION: Final = 1  # version of how introductions are made; those of other versions are made again


@dataclass(frozen=True, slots=True)
class KeySentence:
    """A sentence that represents a part of a document."""

    text: str
    page: int  # from 0


@dataclass(frozen=True, slots=True)
class Introduction:
    """What is shown of a document at first sight, found without a model."""

    title: str
    kind: str  # "annual report", in the document's language; "" if not known
    languages: tuple[str, ...]  # "en", "zh": each has a good part of the text
    tables: int | None  # how many there are; None if looking for them took too long
    sentences: tuple[KeySentence, ...]
    questions: tuple[str, ...]  # each was tried and has an answer

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Introduction | None:
        """The inverse of `to_json`; None for one of another version."""
        if data.get("version") != VERSION:
            return None
        return cls(
            title=data["title"],
            kind=data["kind"],
            languages=tuple(data["languages"]),
            tables=data["tables"],
            sentences=tuple(KeySentence(**sentence) for sentence in data["sentences"]),
            questions=tuple(data["questions"]),
        )
