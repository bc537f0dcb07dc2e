"""Replies to what is no question about documents: greetings, thanks, "what can you do?", sums.

Nothing is searched. Only a text that is nothing but small talk gets a reply: "Hello, what is the rent?" is a question.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rag.answer.arithmetic import compute
from rag.messages import Message, Value

MAX_CHARACTERS: Final = 120  # of small talk
MAX_NAMES: Final = 20  # documents that are named

GREETING: Final = Message("Hello! Ask a question about your documents; the answer shows the page of every sentence.")
GREETING_EMPTY: Final = Message("Hello! Add a PDF, then ask a question about it.")
THANKS: Final = Message("You are welcome.")
GOODBYE: Final = Message("Goodbye.")
ABILITIES: Final = Message(
    "I answer questions about your PDFs from their own text, in English and Chinese, and show the page that each "
    "sentence comes from. Ask for a fact, a figure, a comparison, a reason or a list, or for a summary: “What is this "
    "about?”"
)
IDENTITY: Final = Message(
    "I am a program that answers questions about your PDFs from their own text, and shows the page of every sentence."
)
ASK_A_QUESTION: Final = Message("Type a question about your documents, such as “What is the notice period?”")
NO_RESULT: Final = Message("This calculation has no result.")
NO_DOCUMENTS: Final = Message("There are no documents yet: add a PDF first.")

_ORDER: Final = ("documents", "abilities", "identity", "goodbye", "thanks", "greeting", "nothing")  # the first one wins


def small_talk(question: str, documents: Callable[[], Sequence[str]]) -> Message | None:
    """The reply; None for a question. `documents` gives the names of the documents in scope, if they are needed."""
    text = _plain(question)
    if not text:
        return ASK_A_QUESTION
    if (computed := compute(question)) is not None:
        expression, result = computed
        return Message("{expression} = {result}", {"expression": expression, "result": result}) if result else NO_RESULT
    kind = _kind(text)
    if kind == "documents":
        return _list_documents(documents())
    if kind == "greeting":
        return GREETING if documents() else GREETING_EMPTY
    return _REPLIES.get(kind)


def is_small_talk(question: str) -> bool:
    """Whether a text is answered without documents."""
    return small_talk(question, tuple) is not None


_REPLIES: Final = {
    "thanks": THANKS,
    "goodbye": GOODBYE,
    "identity": IDENTITY,
    "abilities": ABILITIES,
    "nothing": ASK_A_QUESTION,
}


def _plain(question: str) -> str:
    """Letters and digits, pieces separated by a comma; "" for only punctuation and emojis, and for nothing."""
    folded = unicodedata.normalize("NFKC", question[: MAX_CHARACTERS * 4]).casefold().replace("’", "'")
    kept = "".join(
        c if c.isalnum() or c in "'%" else "," if unicodedata.category(c)[0] in "PS" else " " for c in folded
    )
    return re.sub(r"[\s,]*,[\s,]*", ",", " ".join(kept.split())).strip(" ,")


def _kind(text: str) -> str:
    """The kind of small talk that all pieces of a text are; "" for a question."""
    if len(text) > MAX_CHARACTERS:
        return ""
    kinds = {_piece_kind(piece) for piece in text.split(",")}
    if "" in kinds and (whole := _piece_kind(text.replace(",", " "))):
        kinds = {whole}
    return "" if "" in kinds else next(kind for kind in _ORDER if kind in kinds)


def _piece_kind(piece: str) -> str:
    """The kind of a piece, which may be several phrases in a row: "hi there thanks"."""
    piece = piece.strip()
    for kind in _ORDER:
        if _patterns()[kind].fullmatch(piece):
            return kind
    # "hello what can you do": a greeting before another piece.
    opening = _patterns()["greeting"].match(piece)
    rest = piece[opening.end() :].strip() if opening else ""
    return _piece_kind(rest) if opening and opening.end() and rest else ""


@functools.cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """The patterns of `small_talk.txt` by kind."""
    named: dict[str, str] = {}
    kinds: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("small_talk.txt").read_text("utf-8").splitlines():
        name, is_definition, pattern = line.partition(" = ")
        if line.startswith("["):
            current = kinds.setdefault(line.strip("[]"), [])
        elif is_definition and not kinds:
            named[name] = pattern
        elif line and not line.startswith("#"):
            current.append(re.sub(r"\{([a-z_]+)\}", lambda match: named[match[1]], line))
    return {kind: re.compile("|".join(patterns)) for kind, patterns in kinds.items()}


def _list_documents(names: Sequence[str]) -> Message:
    if not names:
        return NO_DOCUMENTS
    listed = "; ".join(names[:MAX_NAMES])
    if len(names) == 1:
        return Message("There is one document: {names}", {"names": listed})
    if len(names) > MAX_NAMES:
        values: dict[str, Value] = {"count": len(names), "shown": MAX_NAMES, "names": listed}
        return Message("There are {count:,} documents. The first {shown}: {names}", values)
    return Message("There are {count:,} documents: {names}", {"count": len(names), "names": listed})
