"""Training pairs: lines of JSON -> the token ids of a prompt, and of the answer that the model should give.

The prompt is the one that the model gets when somebody asks on the page, with sources in the same form, so that what is
learned applies there. One object per line: `question`, `answer` and, optionally, `sources`, a list of objects with
`text` and, optionally, `number`, `document`, `page` and `heading`; and `evidence`, a list of objects with `text` and
the `number` of a source. `python -m rag.training_pairs` writes such files.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.prompt import Prompter, chat_messages
from rag.errors import SettingRefused
from rag.json_lines import as_text, read_lines
from rag.reader import ANSWERABLE, Evidence, ReadRequest, ReadSource


@dataclass(frozen=True, slots=True)
class Pair:
    """A question as a model is asked it, and the answer to learn."""

    request: ReadRequest
    answer: str

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Pair:
        """From the JSON object of a line. Raises KeyError for a missing field, TypeError for one of another type."""
        sources = tuple(_source(number, source) for number, source in enumerate(row.get("sources", ()), 1))
        evidence = tuple(
            Evidence(int(one["number"]), as_text(one["text"]), ANSWERABLE) for one in row.get("evidence", ())
        )
        return cls(ReadRequest(as_text(row["question"]), sources, evidence=evidence), as_text(row["answer"]))


@dataclass(frozen=True, slots=True)
class Example:
    """A pair as token ids. The loss is computed on the answer, including the token that ends it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def read_pairs(file: Path) -> list[Pair]:
    """All pairs of a file. Raises SettingRefused if it cannot be read, or has none."""
    pairs = read_lines(file, Pair.parse)
    if not pairs:
        raise SettingRefused("{file} holds no pairs of question and answer.", file=str(file))
    return pairs


def example(pair: Pair, prompter: Prompter, end: int, longest: int) -> Example | None:
    """A pair as token ids; None if it has more than `longest` tokens in all. `end`: the token that ends an answer."""
    prompt = prompter.ids(chat_messages(pair.request))
    answer = [*prompter.tokenizer.encode(pair.answer), end]
    return Example(tuple(prompt), tuple(answer)) if len(prompt) + len(answer) <= longest else None


def split(examples: Sequence[Example], held_out: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and the share `held_out` that is only measured; at least one is left to learn from."""
    shuffled = list(examples)
    random.Random(seed).shuffle(shuffled)
    measuring = min(round(held_out * len(shuffled)), len(shuffled) - 1)
    return shuffled[measuring:], shuffled[:measuring]


def _source(number: int, row: Mapping[str, Any]) -> ReadSource:
    """`number`: its place among the pair's sources, which is its number unless one is given."""
    document, page, heading = (as_text(row.get(name, "")) for name in ("document", "page", "heading"))
    return ReadSource(int(row.get("number", number)), document, page, heading, as_text(row["text"]))
