"""Ask PDFs in the terminal, with the same engine as the page.

    python -m rag.ask "QUESTION" --pdf FILE [--pdf FILE …] [--data-dir FOLDER] [--json]
    python -m rag.ask "QUESTION" --data-dir FOLDER [--json]

The quote reader answers: sentences of the documents, word for word, and figures from their tables, with the pages they
are on; no model is needed. (A GLM answers on the page and through the interfaces of `python app.py`.) With --data-dir
the documents stay there and are read once only; without --pdf all of them are searched.

The answer goes to standard output, progress to standard error. The exit status is 0 if there is an answer, 1 if the
documents hold none, and 2 if something went wrong.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from rag.answer.quote import QuoteReader
from rag.answer.scales import in_one_line, named_values
from rag.answer.view import Place, place_of
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.errors import AlreadyAdded, AskError, FileRefused
from rag.messages import Message
from rag.options import add_embedder_options
from rag.records import Answer, AnswerState, Citation, Found, JobState, Piece, ShortAnswer
from rag.settings import Settings

Write = Callable[[str], object]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m rag.ask", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("question", help="the question, in English or Chinese")
    made.add_argument(
        "--pdf", type=Path, action="append", default=[], metavar="FILE", help="PDF to ask; may be repeated"
    )
    made.add_argument("--data-dir", type=Path, metavar="FOLDER", help="folder that keeps the documents and their index")
    add_embedder_options(made)
    made.add_argument("--json", action="store_true", help="print the answer as a line of JSON instead")
    return made


def run(arguments: argparse.Namespace, write: Write, note: Write) -> AnswerState:
    """Add the PDFs, ask, and print the answer. Raises AskError."""
    with _data_folder(arguments.data_dir) as folder:
        engine = Engine(
            Settings(data_dir=folder),
            embedder=lambda: open_embedder(arguments.embedder, cache=arguments.cache_dir),
            reader=QuoteReader(),
        )
        with engine:
            chosen = [add(engine, file, note) for file in arguments.pdf] or None
            return ask(engine, arguments.question, chosen, write, as_json=arguments.json)


def add(engine: Engine, file: Path, note: Write) -> str:
    """Add a PDF and wait until it is ready; returns its id.

    Raises FileRefused, also if the file turns out to be unreadable.
    """
    if not file.is_file():
        raise FileRefused("{name}: there is no such file.", name=str(file))
    engine.wait()
    try:
        job = engine.add("", file.name, file)
    except AlreadyAdded:
        return sha256(file.read_bytes()).hexdigest()
    while waiting := [one for one in engine.jobs("") if one.id == job.id]:
        if waiting[0].state in (JobState.FAILED, JobState.LOCKED):
            raise FileRefused("{name}: {reason}", name=file.name, reason=waiting[0].message or Message(""))
        note(f"\r\x1b[K{file.name}: {waiting[0].state}")
        time.sleep(0.1)
    note("\r\x1b[K")
    return job.document_id


def ask(
    engine: Engine, question: str, documents: Sequence[str] | None, write: Write, *, as_json: bool = False
) -> AnswerState:
    """Ask and print: the text as it arrives, then the short answer and the places that the answer cites."""
    found, written, answer = Found((), question), "", None
    for event in engine.ask("", question, documents):
        if isinstance(event, Found):
            found = event
        elif isinstance(event, Piece):
            written += event.text
            if not as_json:
                write(event.text)
        elif isinstance(event, Answer):
            answer = event
    assert answer is not None
    places = _places(engine, found, answer)
    if as_json:
        write(json.dumps(_as_json(found, answer, places), ensure_ascii=False) + "\n")
    else:
        write(_ending(answer, written, places))
    return answer.state


def _places(engine: Engine, found: Found, answer: Answer) -> list[Place]:
    """The places of all citations, those of the short answer first, each once."""
    sources = {source.number: source for source in found.sources}
    cited: list[Citation] = [*(answer.short.citations if answer.short else ())]
    cited += [citation for sentence in answer.sentences for citation in sentence.citations]
    unique = {(one.number, one.start, one.end): one for one in cited if one.number in sources}
    places = []
    for citation in unique.values():
        source = sources[citation.number]
        span = (source.document_id, source.first_page, source.last_page)
        places.append(place_of(citation, source, lambda span=span: engine.pages.read("", *span)))  # type: ignore[misc]
    return places


def _ending(answer: Answer, written: str, places: Sequence[Place]) -> str:
    """What is printed below the text: how reliable it is, the short answer, the sources."""
    parts = [str(answer.reply)] if answer.reply else []
    if answer.state is AnswerState.NONE and not answer.reply:
        missing = f" Nothing about {', '.join(answer.missing)}." if answer.missing else ""
        parts.append(f"The documents do not answer this question.{missing}")
    elif answer.state is AnswerState.CLOSEST:
        parts.append("This is the closest that was found; it may not be the answer.")
    if answer.short and answer.state is AnswerState.ANSWER:
        parts.append(f"Answer: {_in_words(answer.short)}")
    if places:
        parts.append("Sources:\n" + "\n".join(_line(place) for place in places))
    return ("\n\n" if written else "") + "\n\n".join(parts) + "\n"


def _in_words(short: ShortAnswer) -> str:
    formula = f" = {short.formula}" if short.formula else ""
    labels = f" ({' · '.join(short.labels)})" if short.labels else ""
    return f"{'' if short.sure else 'perhaps '}{in_one_line(named_values(short))}{formula}{labels}"


def _line(place: Place) -> str:
    """A source on one line: [1] report.pdf, p. 12: “Revenue grew.”"""
    name = " ".join(place.source.document.split())
    return f"[{place.source.number}] {name}, p. {place.label}: “{place.quote}”"


def _as_json(found: Found, answer: Answer, places: Sequence[Place]) -> dict[str, Any]:
    short = answer.short
    return {
        "state": answer.state.value,
        "question": found.query,
        "short": None if short is None else {"text": _in_words(short), "values": short.values, "sure": short.sure},
        "text": "".join(sentence.lead + sentence.text for sentence in answer.sentences).strip(),
        "citations": [
            {
                "number": place.source.number,
                "document": place.source.document,
                "page": place.page + 1,
                "page_label": place.label,
                "quote": place.quote,
            }
            for place in places
        ],
        "missing": answer.missing,
        "seconds": round(answer.seconds, 3),
    }


@contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    else:
        with tempfile.TemporaryDirectory(prefix="ask-") as folder:
            yield Path(folder)


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    made = parser()
    arguments = made.parse_args(given)
    if not (arguments.pdf or arguments.data_dir):
        made.error("--pdf is required, or --data-dir with documents in it")

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        state = run(arguments, write, sys.stderr.write if sys.stderr.isatty() else lambda _: None)
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 1 if state is AnswerState.NONE else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main())
