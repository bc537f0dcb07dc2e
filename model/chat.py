"""`python -m model.chat NAME`: a streaming conversation with a GLM in the terminal.

Ctrl-C stops the answer; at the prompt it ends the program. Knows nothing of documents.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from model.blank.filling import BLANK, fill_blanks
from model.load import load_reader
from model.prompt import ChatMessage
from model.reader import GlmReader
from rag.errors import AnswerCut, AskError
from rag.reader import Sampling

KEPT = Path.home() / ".cache" / "ask-your-pdfs" / "quantised"  # where the page keeps them, too


def converse(reader: GlmReader, sampling: Sampling, read: TextIO, write: TextIO) -> None:
    """Answer each line of `read` until it ends, with the conversation so far as context; errors are written too.

    A model that fills in blanks fills those of a line that has any (`[MASK]`), and that line alone.
    """
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
    return _write(reader.chat(messages, sampling, stop), stop, write)


def _write(text: Iterator[str], stop: threading.Event, write: TextIO) -> str:
    """Write a text as it streams and return it; Ctrl-C sets `stop` and keeps what has been written.

    " …" marks one that Ctrl-C or the limit of its length has cut.
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
    parser.add_argument("name", help="folder or hub id of a GLM, such as zai-org/GLM-4-9B-0414")
    parser.add_argument("--precision", default="auto", help="auto, bf16, fp16, fp32, int8 or int4 (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:0 (default: auto)")
    parser.add_argument("--adapter", type=Path, metavar="FOLDER", help="adapter of `python -m model.finetune`")
    parser.add_argument("--context", type=int, help="longest prompt and answer together, in tokens")
    parser.add_argument(
        "--max-tokens", type=int, default=Sampling().max_tokens, help="longest answer, in tokens (default: %(default)s)"
    )
    parser.add_argument(
        "--temperature", type=float, default=0.8, help="of sampling; 0: greedy decoding (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, help="of sampling; the same seed gives the same answer")
    parser.add_argument("--offline", action="store_true", help="do not download")
    parser.add_argument("--cache-dir", type=Path, help="folder for downloads")
    parser.add_argument("--keep-in", type=Path, default=KEPT, help="folder for quantised models (default: %(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        reader = load_reader(
            options.name,
            precision=options.precision,
            device=options.device,
            context=options.context,
            offline=options.offline,
            adapter=options.adapter,
            cache_dir=options.cache_dir,
            keep_in=options.keep_in,
            download_progress=Percents("downloaded"),
            load_progress=Percents("loaded"),
        )
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


class Percents:
    """Progress callback that writes whole percentages to standard error, on one line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Write the percentage if it has changed."""
        percent = 100 * done // total if total else 0
        if percent != self._last:
            self._last = percent
            sys.stderr.write(f"\r{self._what} {percent}%" + ("\n" if percent == 100 else ""))
            sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
