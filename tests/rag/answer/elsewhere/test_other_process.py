"""Answers made in another process: the same as here, from the same library, by a process that always ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rag.answer.elsewhere import other_process
from rag.answer.elsewhere.pipe import Refused
from rag.engine import Engine
from rag.errors import StoreError
from rag.reader import Turn
from rag.records import Answer, Event, Found
from rag.settings import Limits
from rag.store.read_only import ReadOnlyStore
from tests.rag.engines import FIRST, SECOND, add
from tests.rag.pdfs import report_pdf
from tests.waiting import until

pytestmark = pytest.mark.slow

SECRET = "ghp-not-for-children"


def started(engine: Engine) -> Engine:
    """The engine, once its other process answers."""
    engine.wait()
    other = engine.questions.other_process
    assert other is not None
    other.start()
    until(lambda: other.running)
    return engine


def process_of(engine: Engine) -> int:
    """The id of the engine's other process."""
    process = engine.questions.other_process._process
    assert process is not None
    return process.pid


def is_running(process: int) -> bool:
    """Whether a process has neither ended nor waits for its parent to notice that."""
    try:
        status = Path(f"/proc/{process}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def without_seconds(events: list[Event]) -> list[Event]:
    return [replace(event, seconds=0.0) if isinstance(event, Answer) else event for event in events]


QUESTIONS = (
    ("When was the red pump built?", ()),
    ("Where does it stand?", (Turn("When was the red pump built?", "The red pump was built in 1931."),)),
    ("苍鹭在哪里筑巢？", ()),
    ("What was the revenue in 2021, and how much does the valve weigh?", ()),
    ("Summarise the manual.", ()),
    ("Who won the chess tournament in Reykjavik?", ()),
)


@pytest.mark.parametrize("folder", ["shared", "own"])
def test_answers_are_those_that_this_process_gives(make, folder):
    owner = "" if folder == "shared" else "ann"
    engine = make()
    add(engine, ("first.pdf", FIRST), ("second.pdf", SECOND), ("report.pdf", report_pdf()), owner=owner)
    here = [without_seconds(list(engine.ask(owner, question, None, history))) for question, history in QUESTIONS]
    started(engine)
    there = [without_seconds(list(engine.ask(owner, question, None, history))) for question, history in QUESTIONS]
    assert engine.questions.other_process._free
    assert there == here
    assert any(isinstance(event, Answer) and event.short for events in there for event in events)


def test_a_document_of_somebody_else_is_not_found(make):
    engine = started(make())
    add(engine, ("first.pdf", FIRST), owner="ann")
    add(engine, ("second.pdf", SECOND), owner="bob")
    for _ in range(2):  # a process has read it for Ann
        (found, *_) = engine.ask("ann", "When was the red pump built?")
        assert isinstance(found, Found)
        assert "1931" in found.sources[0].text
        (found, *_) = engine.ask("bob", "When was the red pump built?")
        assert isinstance(found, Found)
        assert all("1931" not in source.text for source in found.sources)


def test_what_is_removed_is_gone_for_the_next_question(make):
    engine = started(make())
    add(engine, ("first.pdf", FIRST), ("second.pdf", SECOND))
    assert "1931" in str(list(engine.ask("", "When was the red pump built?")))
    engine.remove("", next(one.id for one in engine.documents("") if one.name == "first.pdf"))
    assert "1931" not in str(list(engine.ask("", "When was the red pump built?")))


def test_a_process_drops_what_it_keeps_of_a_document_that_has_changed(make):
    engine = started(make())
    add(engine, ("report.pdf", report_pdf()))
    (document,) = engine.documents("")
    questions = ("What were the short-term investments?", "How much cash and cash equivalents were there?")
    before = [without_seconds(list(engine.ask("", question))) for question in questions]
    with engine._store.transaction() as sql:  # nothing that questions search is changed
        sql.execute("UPDATE pages SET text = replace(text, 'investments', 'inventories')")
    engine._forget("", document.id)
    there = [without_seconds(list(engine.ask("", question))) for question in questions]
    engine.questions.other_process, other = None, engine.questions.other_process
    here = [without_seconds(list(engine.ask("", question))) for question in questions]
    engine.questions.other_process = other
    assert there == here
    assert there != before


def test_an_answer_whose_process_is_killed_is_complete(make):
    engine = make()
    add(engine, ("first.pdf", FIRST))
    here = without_seconds(list(engine.ask("", "When was the red pump built?")))
    events = started(engine).ask("", "When was the red pump built?")
    there = [next(events)]
    os.kill(process_of(engine), signal.SIGKILL)
    there += events
    assert without_seconds(there) == here
    for _ in range(2):
        assert without_seconds(list(engine.ask("", "When was the red pump built?"))) == here
    until(lambda: not engine.questions.other_process.running)


def test_an_error_in_the_process_is_an_answer_made_here(make, monkeypatch):
    engine = make()
    add(engine, ("first.pdf", FIRST))
    here = without_seconds(list(engine.ask("", "When was the red pump built?")))
    started(engine)
    monkeypatch.setattr(other_process.Calls, "reply", lambda *_: Refused(stopped=False))
    assert without_seconds(list(engine.ask("", "When was the red pump built?"))) == here
    assert engine.questions.other_process.running


def test_one_persons_questions_start_no_process_and_those_of_three_do(make):
    engine = make(limits=Limits(answers_at_once=2))
    add(engine, ("first.pdf", FIRST))
    held = threading.Lock()
    searching = engine.answerer._retriever.searching

    def search(*arguments):
        with held:
            return type(searching).search(searching, *arguments)

    for people in (1, 3):
        with held:
            slow = replace(engine.answerer._retriever, searching=Slow(searching, search))
            engine.answerer._retriever = slow
            asked = [in_thread(partial(ask_as, engine, f"person {n % people}")) for n in range(3)]
            until(lambda: sum(engine.questions.turns.counts) == 3)
        for thread in asked:
            thread.join()
        assert (engine.questions.other_process._thread is not None) == (people == 3)


def ask_as(engine: Engine, person: str) -> None:
    list(engine.ask("", "When was it built?", person=person))


class Slow:
    """Indexes that search with another function."""

    def __init__(self, searching, search) -> None:
        self._searching, self.search = searching, search

    def __getattr__(self, name):
        return getattr(self._searching, name)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_stopped_question_ends_and_the_next_one_goes_the_same_way(make):
    engine = started(make())
    add(engine, ("first.pdf", FIRST))
    list(engine.ask("", "When was the red pump built?"))
    (connection,) = engine.questions.other_process._free
    searching = engine.questions.other_process._searching
    stop = threading.Event()

    def stopping(*arguments):
        stop.set()  # in the middle of the answer
        return type(searching).search(searching, *arguments)

    engine.questions.other_process._searching = Slow(searching, stopping)
    assert list(engine.ask("", "When was the red pump built?", stop=stop)) == []
    engine.questions.other_process._searching = searching
    assert isinstance(list(engine.ask("", "When was the red pump built?"))[-1], Answer)
    assert engine.questions.other_process._free == [connection]


def test_a_process_that_answers_nothing_is_ended(make):
    engine = make()
    engine.wait()
    engine.questions.other_process._idle_seconds = 0.2
    engine.questions.other_process.start()
    until(lambda: engine.questions.other_process._process is not None)
    process = process_of(engine)
    until(lambda: not is_running(process))
    until(lambda: engine.questions.other_process._thread is None)
    assert not engine.questions.other_process.running


@pytest.mark.parametrize("loaded", [True, False])
def test_a_closed_engine_leaves_no_process(make, loaded):
    engine = make()
    engine.wait()
    engine.questions.other_process.start()
    until(lambda: engine.questions.other_process._process is not None)
    until(lambda: engine.questions.other_process.running or not loaded)
    process = process_of(engine)
    engine.close()
    assert not is_running(process)


PROGRAM = """
import sys, time
from pathlib import Path
from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.rag.answer.elsewhere.test_other_process import process_of, started
engine = started(Engine(Settings(data_dir=Path(sys.argv[1])), embedder=ExactEmbedder, reader=QuoteReader()))
print(process_of(engine), flush=True)
time.sleep(600)
"""


def test_it_ends_when_the_program_is_killed_and_knows_nothing_of_its_environment(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data")]
    environment = {**os.environ, "ASK_SERVER_KEY": SECRET}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        process = int(program.stdout.readline())
        known = Path(f"/proc/{process}/environ").read_bytes()
        os.kill(process, signal.SIGTERM)  # as the system sends to all; the program may have answers to complete
        time.sleep(0.2)
        stayed = is_running(process)
        program.kill()
    assert stayed
    assert SECRET.encode() not in known
    until(lambda: not is_running(process))


def test_a_process_cannot_write_the_database(make):
    engine = make()
    add(engine, ("first.pdf", FIRST))
    store = ReadOnlyStore(engine.settings.database)
    assert [document.name for document in store.documents("")] == ["first.pdf"]
    with pytest.raises(StoreError, match="readonly"):
        store.rows("DELETE FROM documents")
    assert store.documents("")
