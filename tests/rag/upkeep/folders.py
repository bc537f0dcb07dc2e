"""A small data folder, what can be asked of it, and damage done to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, HERON, SECOND, add, done
from tests.rag.pdfs import text_pdf
from tests.waiting import until

QUESTIONS = ("When was the red pump built?", "合同编号", "Which lake freezes first?")
MANY = text_pdf([f"Lake number {n} freezes on day {n * 7} of the year. {HERON}" for n in range(40)])


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """An engine that has nothing left to do."""
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        engine.wait()
        until(lambda: done(engine), 60)
        yield engine


def fill(settings: Settings) -> None:
    """Three documents with tags, and a conversation."""
    with opened(settings) as engine:
        add(engine, ("pumps.pdf", FIRST), ("herons.pdf", SECOND), ("lakes.pdf", MANY))
        engine.annotations.add_tag("", [one.id for one in engine.documents("")], "kept")


def found(settings: Settings) -> list[list[tuple[str, str, float]]]:
    """What is found for each question: name, text and score."""
    with opened(settings) as engine:
        return [
            [(one.document, one.text, round(one.score, 4)) for one in engine.search("", question)]
            for question in QUESTIONS
        ]


def names(settings: Settings) -> set[str]:
    with opened(settings) as engine:
        return {one.name for one in engine.documents("")}


def execute(database: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute(statement, values)


def flip(path: Path, offset: int, count: int = 1) -> None:
    """Damage bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        data = file.read(count)
        file.seek(offset)
        file.write(bytes(byte ^ 0xFF for byte in data))
