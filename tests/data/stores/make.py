"""Write the database of an older version of the program as SQL: `python make.py DUMP.sql`, run in a checkout of it.

The same steps for every version, taken through its own engine: a shared document with an outline, another owner's
without one, a file that failed, a file that waits and, where the version knows them, a saved question and a run.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

SAMPLES = Path(__file__).parent / "samples"


class WordEmbedder:
    """16 numbers for a text: how many of its words fall into each of 16 groups."""

    name, revision, dimension, max_tokens, device, why, option = "words", "1", 16, 512, "cpu", "a test", "words-option"
    folder = None

    def count_tokens(self, text):
        return len(text.split())

    def passages(self, texts, *, urgent=False, stop=None):
        return self.queries(texts)

    def queries(self, texts):
        vectors = np.full((len(texts), self.dimension), 0.1, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, hashlib.md5(word.encode()).digest()[0] % self.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class NoReader:
    """A reader that says nothing."""

    name, context_tokens, quotes_evidence, writes_markdown = "none", 10_000, False, False

    def count_tokens(self, text):
        return len(text.split())

    def prompt(self, request):
        return SimpleNamespace(text="", tokens=0)

    def answer(self, request, stop):
        return iter(("Nothing.",))


def settled(condition):
    while not condition():
        time.sleep(0.01)


def fill(data_dir: Path) -> Path:
    from rag.engine import Engine
    from rag.settings import Settings

    settings = Settings(data_dir=data_dir)
    if hasattr(settings, "ocr"):  # scanned pages stay as the versions before it left them
        settings = replace(settings, ocr=replace(settings.ocr, enabled=False))
    engine = Engine(settings, embedder=WordEmbedder, reader=NoReader())
    engine.wait()
    for owner, name in (("", "manual.pdf"), ("ann", "herons.pdf"), ("ann", "scan.pdf")):
        engine.add(owner, name, (SAMPLES / name).read_bytes())
        settled(lambda: all(str(job.state) == "failed" for job in engine.jobs("ann")))
    evaluations = getattr(engine, "evaluations", None) or getattr(engine, "trials", None)
    if evaluations:
        save = getattr(evaluations, "save", None) or evaluations.keep
        save("ann", "Where do herons nest?", engine.documents("ann")[1].id, 0)
        evaluations.start("ann")
        settled(lambda: evaluations.runs("ann") and not evaluations.progress("ann"))
    engine.close()
    store = type(engine._store)(settings.database)
    store.add_job("", "e" * 64, "waiting.pdf", "waiting")
    store.close()
    return settings.database


def dump(database: Path) -> str:
    import sqlite3

    with sqlite3.connect(database) as sql:
        (version,) = sql.execute("PRAGMA user_version").fetchone()
        lines = [*sql.iterdump(), f"PRAGMA user_version={version};"]
    sql.close()
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path[:0] = ["."]  # the checkout
    with tempfile.TemporaryDirectory() as folder:
        Path(sys.argv[1]).write_text(dump(fill(Path(folder) / "data")), "utf-8")
