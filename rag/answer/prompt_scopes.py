"""Among whom a model may share what it computes for the parts of a prompt: those who see every document in it."""

from __future__ import annotations

from collections.abc import Collection

from rag.manner import Manner
from rag.reader import PromptScopes
from rag.store.access import collection_of


def prompt_scopes(person: str, holders: Collection[str], manner: Manner) -> PromptScopes:
    """The scopes of a prompt of `person`, "" if nobody knows who it is, whose sources are documents of `holders`.

    The time to an answer tells whether a prompt began as an earlier one. So sources are shared by those who see all of
    them, as everybody does the shared documents and the members of a collection its own, and only under the usual
    instruction; all else stays with one person, and with nobody where that is not known.
    """
    own = f"person {person}" if person else None
    held = set(holders) - {""}
    is_usual = not (manner.english or manner.chinese)
    if is_usual and len(held) <= 1 and all(collection_of(holder) is not None for holder in held):
        return PromptScopes(f"documents {''.join(held)}", own)
    return PromptScopes(own, own)
