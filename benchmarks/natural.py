"""Questions about annual reports as people type them: how often the sentence that answers is quoted.

    python -m benchmarks.natural --data-dir FOLDER [--own-voice SHARE] [--parts PART …] [--show]

FOLDER holds the 27 reports of FinanceBench (`python app.py --add`). `data/natural.jsonl` has, for each question, a
pattern of what an answer says, and for a follow-up the question before it. "held out" are questions about reports that
nobody looked at while the rule for companies' names was made. "A" and "B" are about ten other reports; A was used while
another order of sentences was tried (see LOG.md), B was only asked at its end. "C" is about eight reports of which the
others ask little, with the page and the words that answer; where no report answers, nothing is right. `short` is a
pattern of the short answer where the sentence says it otherwise. `--own-voice 2` searches every question with the name,
as before that rule.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rag.answer.quote import QuoteReader
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.reader import Turn
from rag.records import Answer, Event, Found
from rag.settings import RetrievalSettings, RoutingSettings, Settings

QUESTIONS = Path(__file__).with_name("data") / "natural.jsonl"


def judged(events: Iterable[Event], row: dict[str, str]) -> list[str]:
    """What holds of an answer: where the pattern was found, and whether the short answer is right."""
    pattern = re.compile(row["answer"])
    *_, answer = events = list(events)
    assert isinstance(answer, Answer)
    sources = [source for event in events if isinstance(event, Found) for source in event.sources]
    quotes = [sentence.lead + sentence.text for sentence in answer.sentences]
    short = answer.short
    values = " ".join(short.values) if short else ""
    first = bool(quotes) and pattern.search(quotes[0]) is not None
    right = pattern.search(values) is not None or (values in ("Yes", "No") and first)
    if "short" in row:
        right = first and re.search(row["short"], values) is not None
    holds = {
        "first quote": first,
        "quoted": right or any(map(pattern.search, quotes)),
        "in the sources": any(pattern.search(source.text) for source in sources),
        "short, right": short is not None and short.sure and right,
        "short, other": short is not None and short.sure and not right,
        "best guess, right": short is not None and not short.sure and right,
    }
    return [name for name, true in holds.items() if true]


def before(engine: Engine, row: dict[str, str]) -> tuple[Turn, ...]:
    """The question before a follow-up, with its answer."""
    if "before" not in row:
        return ()
    *_, answer = engine.ask("", row["before"])
    assert isinstance(answer, Answer)
    return (Turn(row["before"], "".join(sentence.text for sentence in answer.sentences)),)


def main() -> None:
    """Ask all questions and print the counts of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="a data folder with the reports")
    parser.add_argument("--own-voice", type=float, default=RoutingSettings().min_own_voice, help="see rag/settings.py")
    parser.add_argument("--show", action="store_true", help="print what holds of each answer")
    parser.add_argument("--parts", nargs="*", help="parts that are asked, such as A; all by default")
    arguments = parser.parse_args()
    routing = replace(RoutingSettings(), min_own_voice=arguments.own_voice)
    settings = Settings(arguments.data_dir, retrieval=RetrievalSettings(routing=routing))
    counts: dict[str, Counter[str]] = {}
    with Engine(
        settings, embedder=lambda: open_embedder("packaged", cache=arguments.data_dir / "cache"), reader=QuoteReader()
    ) as engine:
        engine.wait()
        for row in map(json.loads, QUESTIONS.read_text("utf-8").splitlines()):
            if arguments.parts and row["part"] not in arguments.parts:
                continue
            names = judged(engine.ask("", row["question"], history=before(engine, row)), row)
            counts.setdefault(row["part"], Counter()).update(["asked", *names])
            if arguments.show:
                sys.stdout.write(f"{row['question']} | {', '.join(names)}\n")
    sys.stdout.write(json.dumps(counts, indent=1) + "\n")


if __name__ == "__main__":
    main()
