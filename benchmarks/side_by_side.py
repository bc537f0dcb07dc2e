"""Two processes that embed at the same time, compared with one alone: what they lose by waiting for each other.

    python benchmarks/side_by_side.py

Each process embeds the same made passages with the packaged embedder. Runs of one and of two alternate, and medians are
compared, so that other work on the machine affects both alike. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

TEXT = "The net sales of the segment rose by 4.2 percent to 1,204 million euros, mainly through higher volumes. "


def embed(passages: int, cache: Path) -> None:
    """In a process of its own: says when it is ready, embeds when told, and says how long it took."""
    from rag.embed.embedder import open_embedder

    embedder = open_embedder("packaged", cache=cache)
    texts = [f"{n}: {TEXT * 12}" for n in range(passages)]
    embedder.passages(texts[:8])
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    embedder.passages(texts)
    print(time.perf_counter() - began, flush=True)


def seconds_of(count: int, options: argparse.Namespace, environment: dict[str, str]) -> float:
    """Seconds until `count` processes that begin at the same moment are all done."""
    command = [sys.executable, __file__, "--child", "--passages", str(options.passages), "--cache", str(options.cache)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    took = [float(process.stdout.readline()) for process in processes if process.stdout is not None]
    for process in processes:
        process.communicate()
    return max(took)


def main() -> None:
    """Run the benchmark and print its results."""
    from rag.processors import quiet_waiting

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--passages", type=int, default=64, help="passages of each process (64)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each kind (3)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs", help="unpacked weights")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        embed(options.passages, options.cache)
        return
    ways = {"as libraries have it": dict(os.environ), "as app.py has it": quiet_waiting(dict(os.environ))}
    found: dict[str, dict[int, list[float]]] = {way: {1: [], 2: []} for way in ways}
    for _ in range(options.runs):
        for way, environment in ways.items():
            for count in (1, 2):
                found[way][count].append(seconds_of(count, options, environment))
    numbers = {}
    for way, seconds in found.items():
        alone, both = statistics.median(seconds[1]), statistics.median(seconds[2])
        numbers[way] = {
            "alone_passages_per_second": round(options.passages / alone, 2),
            "together_passages_per_second": round(2 * options.passages / both, 2),
            "together_over_alone": round(2 * alone / both, 2),
        }
        print(way, numbers[way])
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
