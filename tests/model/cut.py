"""Answers of models that are random, or limited to a few tokens, so that their end is mostly cut off."""

from contextlib import suppress

from rag.errors import AnswerCut


def until_cut(pieces):
    """The pieces of an answer, as a list, whether it is complete or not."""
    said = []
    with suppress(AnswerCut):
        for piece in pieces:
            said.append(piece)
    return said
