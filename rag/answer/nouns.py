"""Whether an English word is an ordinary noun, by the list beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rag.index.tokenize import terms


def is_noun(word: str) -> bool:
    """Whether a word in small letters, or its singular, is one."""
    return word in _nouns() or any(term in _nouns() for term in terms(word))


@cache
def _nouns() -> frozenset[str]:
    lines = Path(__file__).with_name("nouns.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
