"""What a person gets is the same whether or not others hold documents, to the last bit of every score."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.records import Answer, Found, Source
from rag.settings import RetrievalSettings, Settings
from tests.fakes import ExactEmbedder
from tests.rag.engines import done
from tests.rag.pdfs import report_pdf, text_pdf
from tests.waiting import until

WORDS = (
    "pump valve bracket turbine ledger heron falcon winter harbour Northwind Zebra Contoso Gdansk merger dividend"
    " revenue 2019 2021 2022 increased fell approved rejected supplier patent 苍鹭 合同编号 营业收入 净利润"
).split()
NAMES = ("northwind_2021.pdf", "Zebra 10K 2022.pdf", "contoso_manual.pdf", "zanzibar.pdf", "winter.pdf")
QUESTIONS = (
    "What was the revenue of Northwind in 2021?",
    "When was the merger approved?",
    "Compare the revenue of Northwind and Zebra in 2022.",
    "Which pump stands in Gdansk, and who was the supplier?",
    "Was the dividend approved?",
    "What does zanzibar say about the okapi?",
    "合同编号是多少？",
    "What was the quick ratio in FY2022?",
    "Summarise the documents.",
)
File = tuple[str, str, bytes]  # owner, "ours" or "theirs" for a collection, name, content


def pages(chance: random.Random) -> list[str]:
    def sentence() -> str:
        return f"The {' '.join(chance.choices(WORDS, k=chance.randint(5, 14)))} {chance.randint(1, 999)}."

    return [" ".join(sentence() for _ in range(chance.randint(4, 12))) for _ in range(chance.randint(1, 3))]


def made_files(seed: int) -> tuple[list[File], list[File]]:
    """Files that ann sees, and others' files: of the same words, of words only they have, one the same as ann's."""
    chance = random.Random(seed)
    own: list[File] = [(chance.choice(("", "ann", "ours")), name, text_pdf(pages(chance))) for name in NAMES[:3]]
    own.append(("ann", "report.pdf", report_pdf()))
    own.append(("ours", "common.pdf", text_pdf(pages(chance))))
    others: list[File] = [
        (chance.choice(("ben", "cleo", "theirs")), name, text_pdf(pages(chance))) for name in NAMES[1:]
    ]
    others.append(("theirs", "zebra_common.pdf", text_pdf(pages(chance))))
    others.append(("ben", "okapi.pdf", text_pdf(["The okapi of zanzibar. " * 30, "Revenue of the okapi fell. " * 40])))
    others.append(("cleo", "copy.pdf", own[3][2]))
    return own, others


@contextmanager
def opened(folder: Path, files: list[File]) -> Iterator[Engine]:
    """An engine with these files; more than 12 passages of an owner are kept in half precision."""
    settings = Settings(data_dir=folder, retrieval=RetrievalSettings(exact_index_size=12))
    with Engine(settings, embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        engine.wait()
        shared = {}
        if files:
            # Of two collections of other people one is granted to ann.
            shared = {name: engine.collections.create("ben", name) for name in ("theirs", "ours")}
            engine.collections.grant("ben", shared["ours"], "ann", editor=False)
        for owner, name, content in files:
            person = "ben" if owner in shared else owner
            engine.add(person, name, content, collection=shared.get(owner, 0))
            until(lambda person=person: done(engine, person))
        yield engine


def told(engine: Engine, owner: str) -> dict[str, Any]:
    """All that a person can get to see, without times."""
    seen: dict[str, Any] = {"documents": [replace(one, added=0.0) for one in engine.documents(owner)]}
    seen["details"] = [engine.details(owner, one.id) for one in engine.documents(owner)]
    seen["choices"] = engine.choices()
    for question in QUESTIONS:
        seen[f"search: {question}"] = [shown(source) for source in engine.search(owner, question, count=30)]
        for chosen in (None, [engine.documents(owner)[0].id]):
            key, events = (question, bool(chosen)), []
            for event in engine.ask(owner, question, chosen):
                if isinstance(event, Found):
                    sources = event.sources
                    events.append((event.query, event.parts, [shown(source) for source in event.sources]))
                else:
                    events.append(asdict(replace(event, seconds=0.0) if isinstance(event, Answer) else event))
            seen[f"answer: {key}"] = events
            seen[f"next: {key}"] = engine.follow_ups(owner, question, chosen, sources)
    for document in engine.documents(owner):
        until(lambda document=document: engine.introductions.of(owner, document.id))
        seen[f"introduction: {document.name}"] = engine.introductions.of(owner, document.id)
    return seen


def shown(source: Source) -> dict[str, Any]:
    """A source with its score and why it was found; the number of its passage is never shown."""
    return asdict(source) | {"passage_id": None}


@pytest.mark.parametrize("seed", range(4))
def test_all_output_is_the_same_with_and_without_the_documents_of_others(tmp_path, seed):
    own, others = made_files(seed)
    mixed = own + others
    random.Random(seed).shuffle(mixed)
    mixed.sort(key=lambda file: own.index(file) if file in own else random.Random(file[1]).randrange(4))
    assert [file for file in mixed if file in own] == own  # in the same order
    with opened(tmp_path / "alone", own) as alone, opened(tmp_path / "mixed", mixed) as together:
        expected, found = told(alone, "ann"), told(together, "ann")
        assert found == expected
        assert {one.owner for one in together.documents("ben")} >= {"ben"}
        # Removing what others hold changes nothing either, nor does a restart.
        for owner, document in [(one.owner, one) for person in ("ben", "cleo") for one in together.documents(person)]:
            if owner in ("ben", "cleo") and document.name != "okapi.pdf":
                together.remove(owner, document.id)
        assert told(together, "ann") == expected
    with opened(tmp_path / "mixed", []) as again:
        again.wait()
        assert told(again, "ann") == expected
