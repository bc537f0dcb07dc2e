"""`python -m model.chat NAME`: a streaming conversation with a GLM in the terminal.

Ctrl-C stops the answer; at the prompt it ends the program. Knows nothing of documents.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from model.command_line import add_answer_options, add_model_options, load_model
from rag.errors import AnswerCut, AskError
from rag.processors import quiet_waiting
from rag.reader import PromptScopes, Sampling

if TYPE_CHECKING:
    from model.prompt import ChatMessage
    from model.reader import GlmReader

ONE_PERSON = PromptScopes(conversation="")


def converse(reader: GlmReader, sampling: Sampling, read: TextIO, write: TextIO) -> None:
    """Answer each line of `read` until it ends, with the conversation so far as context; errors are written, too.

    A model that fills in blanks fills those of a line with blanks (`[MASK]`), and sees only that line.
    """
    from model.blank.filling import BLANK, fill_blanks
    from model.prompt import ChatMessage

    messages: list[ChatMessage] = []
    while True:
        write.write("\n> ")
        write.flush()
        line = read.readline()
        if not line:
            return
        if not line.strip():
            continue
        try:
            if reader.family.fills_blanks and BLANK.search(line):
                stop = threading.Event()
                _write(fill_blanks(reader, line.strip(), sampling, stop), stop, write)
            else:
                asked = [*messages, ChatMessage("user", line.rstrip("\n"))]
                messages = [*asked, ChatMessage("assistant", _answer(reader, asked, sampling, write))]
        except AskError as error:
            write.write(f"{error}\n")


def _answer(reader: GlmReader, messages: list[ChatMessage], sampling: Sampling, write: TextIO) -> str:
    """Write one answer as it streams and return it."""
    stop = threading.Event()
    return _write(reader.chat(messages, sampling, stop, scopes=ONE_PERSON), stop, write)


def _write(text: Iterator[str], stop: threading.Event, write: TextIO) -> str:
    """Write a text as it streams, and return it; Ctrl-C sets `stop` and keeps what has been written.

    " …" marks a text cut off by Ctrl-C or by its length limit.
    """
    pieces: list[str] = []
    try:
        for piece in text:
            pieces.append(piece)
            write.write(piece)
            write.flush()
    except AnswerCut:
        write.write(" …")
    except KeyboardInterrupt:
        stop.set()
        write.write(" …")
    write.write("\n")
    return "".join(pieces)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.chat", description=(__doc__ or "").splitlines()[0])
    add_model_options(parser)
    add_answer_options(parser)
    parser.add_argument(
        "--temperature", type=float, help="of sampling; 0: greedy decoding (default: what the model's makers recommend)"
    )
    parser.add_argument("--seed", type=int, help="of sampling; the same seed gives the same answer")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet_waiting(os.environ)
    try:
        reader = load_model(options)
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(f"\n{reader.name} · {reader.why}\n")
    if reader.family.fills_blanks:
        sys.stdout.write("Write [MASK] where a blank is to be filled, or ask a question.\n")
    sampling = Sampling(options.max_tokens, options.temperature, seed=options.seed)
    try:
        converse(reader, sampling, sys.stdin, sys.stdout)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
