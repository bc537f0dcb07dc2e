"""What is sent between the program and the answering process: commands; and calls, events and ends in return.

Pickled: both ends run the same program, which has started the process itself.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rag.answer.asked import Asked
from rag.reader import Sampling
from rag.records import DocumentKey
from rag.settings import Settings

Known = Mapping[tuple[Any, ...], Any]  # results of calls, by name and arguments


@dataclass(frozen=True, slots=True)
class Opening:
    """The first command: load everything."""

    settings: Settings
    embedder: str  # its name
    folder: Path | None  # of the embedder
    switch_seconds: float  # see `sys.setswitchinterval`


@dataclass(frozen=True, slots=True)
class Question:
    """A command: answer a question."""

    asked: Asked
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Forget:
    """A command: drop all that is kept of a document that was removed or has changed."""

    document: DocumentKey


Command = Opening | Question | Forget


@dataclass(frozen=True, slots=True)
class Call:
    """The process asks for what only the program has; `name`: see `processes.Calls`."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """The result of a call; `stopped`: whether nobody waits for the answer any more."""

    value: Any
    stopped: bool
    known: Known  # what is likely to be asked for next


@dataclass(frozen=True, slots=True)
class Refused:
    """A call had no result; `stopped`: because nobody waits for the answer any more."""

    stopped: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A command was carried out, nobody waited any more, or an exception of this kind was raised."""

    stopped: bool = False
    failed: str = ""


class CallFailed(Exception):
    """The program could not provide what it was asked for."""


def send(connection: Connection, what: Any) -> None:
    """Send one of the above, or an event. Raises OSError."""
    connection.send_bytes(
        pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    )  # a third of the time that `Connection.send` takes


def receive(connection: Connection) -> Any:
    """The next of them. Raises OSError, and EOFError if there is none."""
    return pickle.loads(connection.recv_bytes())
