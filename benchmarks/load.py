"""Many people at once before the real app: asking on the page, adding, removing, stopping and leaving.

    python -m benchmarks.load --data-dir FOLDER --questions FILE.jsonl [--people N] [--minutes M] [--pause SECONDS]

The folder holds a library already; give a copy, as files are added and removed. The file has one question per line, as
for `rag.evaluate`. Each person has an open page that asks for changes once a second, as the page's script does, and
asks one question after another, with a pause between them. Prints a table and one JSON line. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.baseline import machine
from benchmarks.page import app_process
from rag.evaluation.question_file import read_questions

GIVE_UP_SECONDS: Final = 90  # without the end of an answer
STOPPED, LEFT, ADDED = 0.05, 0.05, 0.04  # share of the turns in which a person stops, leaves, adds a file
SAMPLE_SECONDS: Final = 5.0
BUSY: Final = re.compile(r"are waiting(:| already)")  # in the refusal of a question because too many wait
PLACES: Final = ("/", "/health")  # asked for once a second by somebody who does nothing else
PDF_PAGE: Final = (
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F<</Type/Font"
    "/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n4 0 obj<</Length {length}>>stream\n{content}\nendstream endobj\n"
    "trailer<</Root 1 0 R>>\n"
)


@dataclass
class Measured:
    """What happened, in seconds from the request."""

    answered: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)  # from the click on Stop to the end of the answer
    adds: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=dict)  # of `PLACES`
    failures: Counter[str] = field(default_factory=Counter)  # by kind
    left: int = 0
    samples: list[tuple[float, float, int]] = field(default_factory=list)  # seconds, MB, threads


@dataclass(frozen=True)
class Load:
    """Who does what."""

    url: str
    questions: Sequence[str]
    pause: float  # seconds between an answer and the next question, on average
    ends: float  # `time.monotonic` at which nobody asks any more
    measured: Measured


def one_page_pdf(text: str) -> bytes:
    """A PDF of one page with this line of ASCII."""
    content = f"BT /F 12 Tf 72 700 Td ({text}) Tj ET"
    return PDF_PAGE.format(length=len(content), content=content).encode("ascii")


class Person:
    """Somebody with an open page."""

    def __init__(self, load: Load, number: int) -> None:
        self._load, self._measured, self._chance = load, load.measured, random.Random(number)
        self._client = httpx.AsyncClient(base_url=load.url, timeout=GIVE_UP_SECONDS)
        self._handlers: dict[str, tuple[int, int]] = {}  # name -> index and number of inputs
        self._session = ""
        self._added: list[str] = []  # ids of own documents

    async def live(self) -> None:
        """Open the page and use it until the end."""
        async with self._client:
            await asyncio.sleep(self._chance.uniform(0, self._load.pause))
            config = (await self._client.get("/config")).json()
            self._handlers = {one["api_name"]: (one["id"], len(one["inputs"])) for one in config["dependencies"]}
            while time.monotonic() < self._load.ends:
                await self._visit()

    async def _visit(self) -> None:
        """Use the page until it is left."""
        self._session = secrets.token_hex(5)
        await self._client.get("/")
        await self._call("load", "/")
        polling = asyncio.create_task(self._poll())
        try:
            while time.monotonic() < self._load.ends:
                deed = self._chance.random()
                if deed < ADDED:
                    await self._add_or_remove()
                elif not await self._ask(deed):
                    return
                await asyncio.sleep(self._chance.uniform(0.2, 1.8) * self._load.pause)
        finally:
            polling.cancel()

    async def _call(self, handler: str, *data: str) -> httpx.Response:
        return await self._client.post("/gradio_api/run/predict", json=self._event(handler, *data))

    def _event(self, handler: str, *data: str) -> dict[str, Any]:
        index, inputs = self._handlers[handler]
        return {"data": list(data) or [""] * inputs, "fn_index": index, "session_hash": self._session}

    async def _poll(self) -> None:
        while True:
            began = time.monotonic()
            await self._call("poll")
            self._measured.polls.append(time.monotonic() - began)
            await asyncio.sleep(1)

    async def _ask(self, deed: float) -> bool:
        """Ask, and mostly wait for the answer; whether the page is still open."""
        shown = asyncio.Event()  # the question is on the page, and with it the button that stops the answer
        asking = asyncio.create_task(self._answer(self._chance.choice(self._load.questions), shown))
        if deed >= ADDED + STOPPED + LEFT:
            await asking
            return True
        if deed < ADDED + STOPPED:
            await shown.wait()
        await asyncio.wait([asking], timeout=self._chance.uniform(0.2, 1))
        if deed < ADDED + STOPPED:
            began = time.monotonic()
            await self._call("stop")
            await asking
            self._measured.stops.append(time.monotonic() - began)
            return True
        asking.cancel()
        self._measured.left += 1
        return False

    async def _answer(self, question: str, shown: asyncio.Event) -> None:
        began, last = time.monotonic(), ""
        await self._client.post("/gradio_api/queue/join", json=self._event("ask_1", question))
        parameters = {"session_hash": self._session}
        try:
            async with (
                asyncio.timeout(GIVE_UP_SECONDS),
                self._client.stream("GET", "/gradio_api/queue/data", params=parameters) as stream,
            ):
                async for line in stream.aiter_lines():
                    last = line if BUSY.search(line) else last
                    if "process_generating" in line:
                        shown.set()
                    event = json.loads(line.removeprefix("data: ") or "{}") if "process_completed" in line else {}
                    if event.get("msg") == "process_completed":
                        kind = "busy" if last else "" if event["success"] else "failed"
                        break
                else:
                    kind = "stream ended"
        except (TimeoutError, httpx.TimeoutException):
            kind = f"no end in {GIVE_UP_SECONDS} s"
        except httpx.HTTPError as error:
            kind = type(error).__name__
        shown.set()
        if kind:
            self._measured.failures[kind] += 1
        else:
            self._measured.answered.append(time.monotonic() - began)

    async def _add_or_remove(self) -> None:
        if self._added:
            await self._client.delete(f"/api/documents/{self._added.pop()}")
            return
        name = f"Note {secrets.token_hex(6)}"
        began = time.monotonic()
        content = one_page_pdf(f"{name}: the pump in hall {self._chance.randint(1, 99)} was repaired.")
        added = await self._client.post("/api/documents", params={"name": f"{name}.pdf"}, content=content)
        self._measured.adds.append(time.monotonic() - began)
        if added.status_code == httpx.codes.ACCEPTED:
            self._added.append(added.json()["id"])
        else:
            self._measured.failures[f"adding: {added.status_code}"] += 1


async def watch(load: Load, pid: int, began: float) -> None:
    """Ask for what must always come at once, and read the memory of the app's processes."""
    async with httpx.AsyncClient(base_url=load.url, timeout=GIVE_UP_SECONDS) as client:
        sampled = 0.0
        while True:
            for place in PLACES:
                asked = time.monotonic()
                if (await client.get(place)).status_code == httpx.codes.OK:
                    load.measured.waits.setdefault(place, []).append(time.monotonic() - asked)
            if time.monotonic() - sampled >= SAMPLE_SECONDS:
                sampled = time.monotonic()
                load.measured.samples.append((sampled - began, *memory_of(pid)))
            await asyncio.sleep(1)


def family(pid: int) -> list[int]:
    """A process, those it has started, and theirs."""
    started: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended in the meantime
            started.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += started.get(one, ())
    return found


def memory_of(pid: int) -> tuple[float, int]:
    """Memory in MB of a process and those it has started, what they share once; and its threads."""
    total = 0
    for one in family(pid):
        with suppress(OSError):
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return total / 1000, next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and those it has started have used."""
    ticks = 0
    for one in family(pid):
        with suppress(OSError):
            ticks += sum(map(int, _fields(Path(f"/proc/{one}/stat"))[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _fields(stat: Path) -> list[str]:
    """The fields of /proc/PID/stat after the name, from the state on."""
    return stat.read_text().rpartition(")")[2].split()


async def run(url: str, pid: int, questions: Sequence[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Let all of them at it; what was measured."""
    began, used = time.monotonic(), cpu_seconds(pid)
    measured = Measured()
    load = Load(url, questions, arguments.pause, began + arguments.minutes * 60, measured)
    watching = asyncio.create_task(watch(load, pid, began))
    await asyncio.gather(*(Person(load, number).live() for number in range(arguments.people)))
    watching.cancel()
    return report(measured, time.monotonic() - began, cpu_seconds(pid) - used)


def report(measured: Measured, seconds: float, used: float) -> dict[str, Any]:
    """The numbers to be printed."""
    answered, samples = sorted(measured.answered), measured.samples
    after = [memory for second, memory, _ in samples if second >= min(60, seconds / 3)]
    ended = max(len(answered) + len(measured.stops), 1)
    return {
        "questions answered": len(answered),
        "questions a second": len(answered) / seconds,
        "median, s": statistics.median(answered or [0.0]),
        "95th percentile, s": quantile(answered, 0.95),
        "stopped": len(measured.stops),
        "from stop to end, 95th percentile, s": quantile(sorted(measured.stops), 0.95),
        "left": measured.left,
        "adding a file, 95th percentile, s": quantile(sorted(measured.adds), 0.95),
        "asking for changes, 95th percentile, s": quantile(sorted(measured.polls), 0.95),
        "longest wait, s": {place: max(waits) for place, waits in measured.waits.items()},
        "failures": dict(measured.failures),
        "processor seconds a question": used / ended,
        "memory after a minute, MB": after[0] if after else 0.0,
        "growth after that": max(after) / after[0] - 1 if after else 0.0,
        "threads, most": max((threads for *_, threads in samples), default=0),
        "load average": os.getloadavg()[0],
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the others lies."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data-dir", type=Path, required=True, help="data folder with documents; it is changed")
    made.add_argument("--questions", type=Path, required=True, help="file of questions, JSON lines")
    made.add_argument("--people", type=int, default=50, help="default: %(default)s")
    made.add_argument("--minutes", type=float, default=5, help="default: %(default)s")
    made.add_argument("--pause", type=float, default=5, help="seconds between questions, on average; default: 5")
    made.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    arguments = made.parse_args()
    questions = [one.question for one in read_questions(arguments.questions)]
    with app_process(arguments.data_dir, arguments.cache_dir) as (url, process):
        numbers = asyncio.run(run(url, process.pid, questions, arguments))
    for name, value in numbers.items():
        print(f"{name:42} {value:.3f}" if isinstance(value, float) else f"{name:42} {value}")
    print(json.dumps({"machine": machine(), "people": arguments.people, "pause": arguments.pause, **numbers}))


if __name__ == "__main__":
    main()
