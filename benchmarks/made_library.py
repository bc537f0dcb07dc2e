"""A data folder for `benchmarks/page.py`: one PDF that is asked about, hundreds of made documents, a long conversation.

The made documents are written into the store directly, with random words and vectors; their files are not there, as
nobody opens them. The PDF is added as a person adds one.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.answer.quote import QuoteReader
from rag.embed.embedder import Embedder, open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.records import (
    Answer,
    Found,
    Job,
    JobState,
    LoadedDocument,
    Page,
    PageKind,
    Passage,
    WordBoxes,
    text_digest,
)
from rag.settings import Settings
from rag.store.conversations import StoredExchange
from rag.store.database import Store
from rag.store.folder import prepare
from webui.conversation import Exchange
from webui.server.visitors import COOKIE, conversation_owner

PAGES = 8  # of a made document
PASSAGES = 20  # of a made document
WORDS = 120  # of a made passage
HALLS = 60  # pages of the PDF that is asked about, one for each hall


def report_html() -> str:
    """The PDF that is asked about, as HTML to be printed: a page of print and a table for each hall."""
    chance = random.Random(3)
    pages = []
    for hall in range(1, HALLS + 1):
        text = "".join(f"<p>{' '.join(made_words(chance, 90)).capitalize()}.</p>" for _ in range(5))
        rows = "".join(
            f"<tr><td>{name}</td><td>{chance.randint(100, 9_999):,}</td><td>{chance.randint(100, 9_999):,}</td></tr>"
            for name in ("Turbines", "Pumps", "Valves", "Gears", "Castings")
        )
        pages.append(
            f"<section><h2>Hall {hall}</h2><p>Hall {hall} delivered {1_000 + 37 * hall:,} tonnes of steel in 2024. It"
            f" is led by the engineer {_name(chance)}.</p>{text}"
            f"<table><tr><th>Tonnes</th><th>2024</th><th>2023</th></tr>"
            f"{rows}</table></section>"
        )
    style = "section{break-after:page} body{font:10pt/1.4 serif} table{width:100%} td+td,th+th{text-align:right}"
    return f"<!doctype html><title>Halls of the works</title><style>{style}</style>{''.join(pages)}"


def question(hall: int) -> str:
    """A question that the page of this hall answers."""
    return f"How many tonnes of steel did Hall {hall} deliver in 2024?"


def build(folder: Path, pdf: Path, documents: int, turns: int, cache: Path) -> tuple[str, str]:
    """Make the data folder. Returns the secret of the browser that the conversation belongs to, and its id."""
    secret = secrets.token_urlsafe(32)
    embedder = open_embedder("packaged", cache=cache)
    settings = Settings(data_dir=folder)
    prepare(settings)
    with Store(settings.database) as store:
        store.require_embedder(embedder)
        fill(store, embedder, documents)
    with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
        add_folder(engine, pdf.parent, lambda _: None)
        owner = conversation_owner("", {COOKIE: secret})
        conversation = engine.conversations.create(owner, "{}")
        asked = [_exchange(engine, hall) for hall in range(1, 6)]
        for number in range(1, turns + 1):
            exchange = asked[number % len(asked)]
            exchange.id = number
            stored = StoredExchange(number, exchange.to_json())
            engine.conversations.put(owner, conversation, stored, exchange.question)
    return secret, conversation


def _exchange(engine: Engine, hall: int) -> Exchange:
    """A question of the conversation with its answer."""
    exchange = Exchange(1, question(hall), "quote reader")
    for event in engine.ask("", exchange.question):
        if isinstance(event, Found):
            exchange.found = event
        elif isinstance(event, Answer):
            exchange.answer = event
    return exchange


def fill(store: Store, embedder: Embedder, documents: int, passages_each: int = PASSAGES) -> None:
    """Write the made documents into the store."""
    chance, numbers = random.Random(0), np.random.default_rng(0)
    for number in range(documents):
        document_id = hashlib.sha256(str(number).encode()).hexdigest()
        loaded, passages = _document(chance, number, passages_each)
        vectors = numbers.normal(size=(len(passages), embedder.dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        store.add_vectors([text_digest(passage.searchable) for passage in passages], vectors)
        name = f"{_name(chance)} annual report {number:04}.pdf"
        job = store.add_job("", document_id, name, JobState.WAITING)
        store.add_document(Job(job, "", document_id, name, JobState.WAITING), 1_000_000, loaded, passages)


def _document(chance: random.Random, number: int, count: int) -> tuple[LoadedDocument, Sequence[Passage]]:
    passages, texts = [], [""] * PAGES
    start = 0
    for place in range(count):
        page = place * PAGES // count
        text = " ".join(made_words(chance, WORDS)) + ".\n"
        texts[page] += text
        passages.append(Passage(text, start, start + len(text), page, page))
        start += len(text)
    pages = tuple(
        Page(place, str(place + 1), PageKind.TEXT, text, WordBoxes.none(), 595.0, 842.0)
        for place, text in enumerate(texts)
    )
    return LoadedDocument(pages, title=f"{_name(chance)} {2_000 + number % 25}: annual report"), passages


def made_words(chance: random.Random, count: int) -> list[str]:
    """Words that look like words, common ones often."""
    return [_word(min(int(chance.paretovariate(0.7)), 20_000)) for _ in range(count)]


def _name(chance: random.Random) -> str:
    return " ".join(_word(chance.randint(100, 20_000)).capitalize() for _ in range(2))


def _word(number: int) -> str:
    syllables = ("ba", "den", "ko", "li", "mar", "no", "ra", "sel", "ti", "vor")
    return "".join(syllables[int(digit)] for digit in str(number))
