"""Kills, full disks, read-only and vanishing folders and flipped bytes, and what is left of a library after each.

    python -m benchmarks.faults [--kills N] [--writes N] [--others N] [--seed N] [--processes N] [--write-docs]

Needs no model: the embedder counts words. Steps, verification and repair run in processes of their own, forked from
this one. After each fault the program is started again, and then it must hold that

- documents that were acknowledged are there, and those acknowledged as removed are not;
- each document has the pages, passages and vectors that a library has that was never disturbed;
- `--check` finds nothing damaged and nothing left behind;
- no file of the data folder holds a word of a document that is not there, and no process reads PDFs any more;
- questions find what they find in a library built from scratch from the same documents.

`--write-docs` puts the figures into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fault_checks import FORK, Expected, forked, verify
from benchmarks.fault_steps import Sample, Steps, die_at, opened, samples, undisturbed
from rag.errors import AskError
from rag.settings import Settings
from rag.upkeep.check import check
from rag.upkeep.repair import repair

DOCS = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
STEPS = 25
PASSES = ("kill at a random moment", "kill at a write", "full disk", "read-only folder", "folder gone", "flipped byte")


def take_steps(
    settings: Settings, made: list[Sample], seed: int, expected: Expected, *, after: float = 0, write: int = 0
) -> int:
    """Take steps in a process that is killed after so many seconds, or at a write; returns the number of writes."""
    reading, writing = os.pipe()

    def run() -> None:
        os.close(reading)

        def tell(line: str) -> None:
            os.write(writing, line.encode() + b"\n")

        engine = opened(settings)
        seen = die_at(write, settings.data_dir, engine._store) if not after else lambda: 0
        Steps(engine, made, seed, tell).run(STEPS)
        engine.close()
        tell(json.dumps(["writes", [["", str(seen())]]]))
        os._exit(0)

    process = FORK.Process(target=run, daemon=True)
    process.start()
    os.close(writing)
    if after:
        process.join(after)
        process.kill()
    process.join(90)
    process.kill()
    process.join()
    writes = 0
    with os.fdopen(reading, "rb") as lines:
        for line in lines.read().decode().splitlines():
            if line.startswith('["writes"'):
                writes = int(json.loads(line)[1][0][1])
            else:
                expected.take(line)
    return writes


def kill_at_random(settings: Settings, made: list[Sample], seed: int) -> list[str]:
    """Kill the program at a random moment of its steps."""
    expected = Expected()
    take_steps(settings, made, seed, expected, after=random.Random(seed).uniform(0.05, 4))
    return list(forked(lambda: verify(settings, made, expected)))


def kill_at_write(settings: Settings, made: list[Sample], seed: int, write: int) -> list[str]:
    """Kill the program right before a write."""
    expected = Expected()
    take_steps(settings, made, seed, expected, write=write)
    return list(forked(lambda: verify(settings, made, expected)))


def fill(settings: Settings, made: list[Sample]) -> Expected:
    """A library of the samples that have text."""
    undisturbed(settings, [("", sample) for sample in made if sample.loaded is not None])
    expected = Expected()
    expected.present = {("", sample.id): True for sample in made if sample.loaded is not None}
    return expected


def full_disk(settings: Settings, made: list[Sample], seed: int) -> list[str]:
    """No file can grow beyond a size, as on a full disk; then there is space again, and the program goes on."""
    expected, told = Expected(), list[str]()

    def run() -> list[str]:
        chance = random.Random(seed)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        with opened(settings) as engine:
            engine.wait()
            steps = Steps(engine, made, seed, told.append)
            steps.run(8)
            resource.setrlimit(resource.RLIMIT_FSIZE, (chance.randrange(1, 60_000), hard))
            steps.run(8)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            steps.run(8)
        for line in told:
            expected.take(line)
        return verify(settings, made, expected)

    return list(forked(run))


def read_only(settings: Settings, made: list[Sample], seed: int) -> list[str]:
    """A folder that cannot be written is refused in one sentence and stays as it is; a check reads it all the same."""
    expected = fill(settings, made)
    paths = [settings.data_dir, *settings.data_dir.rglob("*")]

    def run() -> list[str]:
        if os.geteuid() == 0:
            os.setegid(65534)
            os.seteuid(65534)
        faults = []
        try:
            opened(settings).close()
            faults.append("a folder that cannot be written was opened")
        except AskError as exc:
            faults += [] if str(settings.data_dir) in str(exc) else [f"the error does not name it: {exc}"]
        return faults + list(check(settings).problems)

    before = {path: path.read_bytes() for path in paths if path.is_file()}
    settings.data_dir.parent.chmod(0o755)
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
        path.chmod(0o500 if path.is_dir() else 0o400)
    faults = list(forked(run))
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
        if os.geteuid() == 0:
            os.chown(path, os.getuid(), os.getgid())
    faults += [f"{path.name} was changed" for path, data in before.items() if path.read_bytes() != data]
    return faults + list(forked(lambda: verify(settings, made, expected)))


def vanishing(settings: Settings, made: list[Sample], seed: int) -> list[str]:
    """The folder is gone while the program runs, which says so and does not end; then it is there again."""
    expected, away = fill(settings, made), settings.data_dir.with_name("away")

    def run() -> list[str]:
        with opened(settings) as engine:
            engine.wait()
            settings.data_dir.rename(away)
            Steps(engine, made, seed, lambda line: expected.take(json.dumps(["touch", json.loads(line)[1]]))).run(6)
        if settings.data_dir.exists():
            shutil.rmtree(settings.data_dir)
        away.rename(settings.data_dir)
        return verify(settings, made, expected)

    return list(forked(run))


def flipped(settings: Settings, made: list[Sample], seed: int) -> list[str]:
    """A byte of some file is wrong: nothing is lost that a repair does not name."""
    fill(settings, made)
    chance = random.Random(seed)

    def run() -> list[str]:
        with opened(settings) as engine:  # writes the copy of the first page
            engine.wait()
        path = chance.choice([settings.database] * 3 + sorted(settings.files_dir.glob("*.pdf")))
        with path.open("r+b") as file:
            place = chance.randrange(path.stat().st_size)
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))
        done = "\n".join(repair(settings))
        expected = Expected()
        aside = "whose entry in the database is lost" in done
        named = {sample.id for sample in made if sample.name in done}
        expected.present = {("", one.id): True for one in made if one.loaded and one.id not in named and not aside}
        faults = verify(settings, made, expected)
        return [fault for fault in faults if not any(one.name in fault and one.id in named for one in made)]

    return list(forked(run))


@contextmanager
def folder() -> Iterator[Settings]:
    """A data folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield Settings(data_dir=Path(name) / "data")


Task = tuple[str, Callable[[Settings], list[str]]]


def tasks(kills: int, writes: int, others: int, seed: int) -> list[Task]:
    """Each fault: its kind, and what causes it in an empty data folder and returns what does not hold after it."""
    made = samples()

    def at(fault: Callable[..., list[str]], *numbers: int) -> Callable[[Settings], list[str]]:
        return lambda settings: fault(settings, made, *numbers)

    with folder() as settings:
        count = take_steps(settings, made, seed, Expected()) if writes else 0
    found: list[Task] = [(PASSES[0], at(kill_at_random, seed + number)) for number in range(kills)]
    places = sorted({1 + index * count // max(writes, 1) for index in range(writes)})
    found += [(PASSES[1], at(kill_at_write, seed, place)) for place in places]
    for kind, fault in zip(PASSES[2:], (full_disk, read_only, vanishing, flipped), strict=True):
        found += [(kind, at(fault, seed + number)) for number in range(others)]
    return found


def run_all(faults: list[Task], processes: int) -> Iterator[tuple[str, list[str]]]:
    """Kind, and what did not hold, of each fault, in the order in which they end; `processes` at a time."""
    receiving, sending = FORK.Pipe(duplex=False)
    lock = FORK.Lock()

    def work(first: int) -> None:
        for kind, fault in faults[first::processes]:
            with folder() as settings:
                result = fault(settings)
            with lock:
                sending.send((kind, result))
        os._exit(0)

    for first in range(processes):
        FORK.Process(target=work, args=(first,)).start()
    for _ in faults:
        yield receiving.recv()


def table(done: Counter[str], failed: Counter[str]) -> str:
    """The figures as a table in Markdown."""
    rows = [f"| {kind} | {done[kind]} | {failed[kind]} |" for kind in PASSES if done[kind]]
    return "\n".join(("| fault | times | broken promises |", "|---|---|---|", *rows))


def main() -> None:
    """Run the faults and print what did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("kills", 200), ("writes", 200), ("others", 10), ("seed", 1), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--write-docs", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    done, failed, began = Counter[str](), Counter[str](), time.monotonic()
    planned = tasks(arguments.kills, arguments.writes, arguments.others, arguments.seed)
    for kind, faults in run_all(planned, arguments.processes):
        done[kind] += 1
        failed[kind] += bool(faults)
        for fault in faults:
            sys.stdout.write(f"{kind} {done[kind]}: {fault}\n")
            sys.stdout.flush()
    figures = table(done, failed)
    sys.stdout.write(f"{figures}\n")
    sys.stdout.write(json.dumps({"seconds": round(time.monotonic() - began), "done": done, "failed": failed}) + "\n")
    if arguments.write_docs:
        text = DOCS.read_text("utf-8")
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        DOCS.write_text(f"{head}{BEGIN}\n{figures}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
