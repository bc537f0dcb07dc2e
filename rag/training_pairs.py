"""Write training pairs for `python -m model.finetune`: saved questions with the sources a model is given for them.

    python -m rag.training_pairs --data-dir FOLDER --out FILE.jsonl [--user NAME] [--context TOKENS]

Each saved question with an expected answer and a right page becomes a line: the question, the sources that a reader of
this context gets, and the expected answer, citing the first source that covers a right page. Questions whose right
page is not found are left out. The app must not be running on the same folder.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.errors import AskError
from rag.evaluation.runs import SavedQuestion
from rag.language import count_east_asian
from rag.options import add_embedder_options
from rag.reader import Prompt, ReadRequest
from rag.records import Found
from rag.settings import Settings

CONTEXT: Final = 2048  # tokens by default, of ChatGLM-6B and in training
CHARACTERS_PER_TOKEN: Final = 2.5  # fewer than in most texts, so that pairs are not too long for the model's tokenizer


class RecordingReader:
    """A reader that keeps what it was asked and does not answer."""

    name = "recording"
    quotes_evidence = False
    writes_markdown = False

    def __init__(self, context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self.requests: list[ReadRequest] = []

    def count_tokens(self, text: str) -> int:
        """Roughly the number of a GLM's tokens; each Chinese character counts as one."""
        wide = count_east_asian(text)
        return wide + int((len(text) - wide) / CHARACTERS_PER_TOKEN)

    def prompt(self, request: ReadRequest) -> Prompt:
        """An empty prompt: there is no model to read it."""
        return Prompt("", 0)

    def answer(self, request: ReadRequest, stop: threading.Event) -> Iterator[str]:
        """Keep the request."""
        self.requests.append(request)
        yield from ()


def training_pairs(engine: Engine, reader: RecordingReader, owner: str) -> Iterator[dict[str, Any]]:
    """A line for each of an owner's saved questions that can be learned from. `reader`: the one the engine uses."""
    for saved in engine.evaluations.saved(owner):
        if saved.answer and saved.here:
            pair = _pair(engine, reader, owner, saved)
            if pair is not None:
                yield pair


def _pair(engine: Engine, reader: RecordingReader, owner: str, saved: SavedQuestion) -> dict[str, Any] | None:
    reader.requests.clear()
    found = next((event for event in list(engine.ask(owner, saved.text)) if isinstance(event, Found)), None)
    if found is None or not reader.requests:
        return None
    request = reader.requests[-1]
    right = {source.number for source in found.sources if saved.is_right(source)}
    cited = next((source.number for source in request.sources if source.number in right), None)
    if cited is None:
        return None
    return {
        "question": request.question,
        "answer": f"{saved.answer} [{cited}]",
        "sources": [
            {"number": one.number, "document": one.document, "page": one.page, "heading": one.heading, "text": one.text}
            for one in request.sources
        ],
        "evidence": [{"number": one.number, "text": one.text} for one in request.evidence],
    }


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m rag.training_pairs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--data-dir", type=Path, required=True, metavar="FOLDER", help="data folder of the app")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, JSON lines")
    made.add_argument(
        "--user", default="", metavar="NAME", help="whose questions; by default those asked without login"
    )
    made.add_argument("--context", type=int, default=CONTEXT, help="tokens of prompt and answer; default: %(default)s")
    add_embedder_options(made)
    return made


def run(arguments: argparse.Namespace, note: Callable[[str], object]) -> int:
    """Write the file; returns the number of pairs. Raises AskError."""
    reader = RecordingReader(arguments.context)
    with Engine(
        Settings(data_dir=arguments.data_dir),
        embedder=lambda: open_embedder(arguments.embedder, cache=arguments.cache_dir),
        reader=reader,
    ) as engine:
        engine.wait()
        saved = engine.evaluations.saved(arguments.user)
        pairs = list(training_pairs(engine, reader, arguments.user))
    arguments.out.write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs), "utf-8")
    note(f"{len(pairs)} of {len(saved)} saved questions became pairs, in {arguments.out}\n")
    return len(pairs)


def main(given: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return 0 if run(parser().parse_args(given), sys.stderr.write) else 1
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
