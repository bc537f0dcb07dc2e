"""What must hold after a fault: see `benchmarks.faults`."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.fault_steps import Sample, opened, undisturbed
from rag.engine import Engine
from rag.errors import AskError
from rag.pdf.ocr import SCRIPT as OCR_SCRIPT
from rag.pdf.sandbox import SCRIPT
from rag.records import JobState
from rag.settings import Settings
from rag.upkeep.check import check

Key = tuple[str, str]  # owner, document id
FORK = multiprocessing.get_context("fork")


class Expected:
    """What must be in the library, as far as it was acknowledged."""

    def __init__(self) -> None:
        self.present: dict[Key, bool] = {}  # what nobody knows is left out

    def take(self, line: str) -> None:
        """One line of `Steps.tell`."""
        what, keys = json.loads(line)
        for owner, document_id in keys:
            self.present.pop((owner, document_id), None)
            if what != "touch":
                self.present[owner, document_id] = what == "present"

    def faults(self, there: set[Key]) -> list[str]:
        """What was lost, and what came back."""
        wrong = {key: present for key, present in self.present.items() if present != (key in there)}
        return [f"{'lost' if present else 'back'}: {key[0]}/{key[1][:8]}" for key, present in wrong.items()]


def forked(work: Callable[[], Any], *, seconds: float = 90) -> Any:
    """The result of `work`, called in a process of its own; what went wrong as a list of one line."""
    receiving, sending = FORK.Pipe(duplex=False)

    def run() -> None:
        try:
            sending.send(work())
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the result
            sending.send([f"{type(exc).__name__}: {exc}"])
        sys.stdout.flush()
        os._exit(0)

    process = FORK.Process(target=run, daemon=True)
    process.start()
    result = receiving.recv() if receiving.poll(seconds) else ["it did not end"]
    process.kill()
    process.join()
    return result


def verify(settings: Settings, made: list[Sample], expected: Expected) -> list[str]:
    """Start the program again; returns what does not hold."""
    by_id = {sample.id: sample for sample in made}
    with opened(settings) as engine:
        engine.wait()
        settle(engine)
        there = [(one.owner, one.id) for one in engine._store.documents()]  # in the order they were added
        faults = expected.faults(set(there)) + [fault for key in there for fault in differences(engine, by_id, key)]
        questions = [sample.word for sample in made] + ["How often was it seen in Oslo?"]
        found = searched(engine, questions)
    faults += check(settings).problems
    faults += remains(settings, made, {document_id for _, document_id in there})
    faults += [f"process {process} still reads PDFs" for process in pdf_readers()]
    compared = [(owner, by_id[one]) for owner, one in there if one in by_id and by_id[one].loaded is not None]
    if len(compared) == len(there):  # no scan among them
        with tempfile.TemporaryDirectory() as name:
            anew = Settings(data_dir=Path(name) / "data")
            undisturbed(anew, compared)
            with opened(anew) as fresh:
                fresh.wait()
                if there and searched(fresh, questions) != found:
                    faults.append("search differs from a library built anew")
    return faults


def settle(engine: Engine) -> None:
    """Wait until nothing is being added; dismiss what failed or waits for a password."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        jobs = {(owner, job.id): job for owner in ("", "ann") for job in engine.jobs(owner) if job.owner == owner}
        for (owner, job_id), job in jobs.items():
            if job.state in (JobState.FAILED, JobState.LOCKED):
                engine.cancel(owner, job_id)
        if not jobs:
            return
        time.sleep(0.005)
    raise TimeoutError("the queue does not come to an end")


def differences(engine: Engine, by_id: dict[str, Sample], key: Key) -> Iterator[str]:
    """How a document differs from the same one in a library that was never disturbed."""
    sample = by_id[key[1]]
    if sample.loaded is None:
        return
    pages = [page.text for page in engine.pages.read(*key, 0, 99)]
    passages = [one.passage for one in engine._store.document_passages(*key)]
    if pages != [page.text for page in sample.loaded.pages] or passages != list(sample.passages):
        yield f"{sample.name} differs"


def searched(engine: Engine, questions: list[str]) -> list[Any]:
    """What questions find for each owner: documents and texts in no order, with their scores."""
    found = []
    for owner in ("", "ann"):
        for question in questions:
            with suppress(AskError):  # nothing to search
                sources = engine.search(owner, question)
                found.append(sorted((one.document_id, one.text, round(one.score, 3)) for one in sources))
    return found


def remains(settings: Settings, made: list[Sample], there: set[str]) -> Iterator[str]:
    """Files that hold words of a document that is not there."""
    gone = [sample for sample in made if sample.id not in there]
    for path in settings.data_dir.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        yield from (f"{path.name} holds {one.word}" for one in gone if one.word.encode() in data or one.id in str(path))


def pdf_readers() -> list[int]:
    """Processes that run this checkout's child.py or ocr_child.py and whose parent has been gone for a while."""
    until = time.monotonic() + 3  # other runs are killed beside this one
    while (left := _orphaned_readers()) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def _orphaned_readers() -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            command = status.with_name("cmdline").read_bytes()
            orphaned = status.read_text("utf-8").rpartition(")")[2].split()[1] == "1"
            if orphaned and any(os.fsencode(script) in command for script in (SCRIPT, OCR_SCRIPT)):
                found.append(int(status.parent.name))
    return found
