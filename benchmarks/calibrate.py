"""Calibration of doubt: the weights and gates that tell questions with an answer in the documents from those without.

    python -m benchmarks.calibrate --pdfs FOLDER --cases FILE.jsonl [--data-dir FOLDER] [--signs FILE.jsonl] [--refit]

Each line of the cases has `question`, `documents` (names of those that may be searched; null: all), `left_out`
([document, page] pairs whose sources are taken away; optional), `answerable`, `kind` (a row of the report) and `group`
(such as its document: a third of the groups, chosen by digest, is held out); `benchmarks/doubt_cases.py` makes them.
Prints, for each kind and part, how many questions are answered, get the closest, or are refused; with --refit also the
weights fitted to the other two thirds by logistic regression (Newton's method, L2). --signs keeps
the signs of each case, so that they are collected once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baseline import machine
from benchmarks.held_out import is_held_out
from rag.answer.asked import Asked
from rag.answer.doubt import Signs, is_about_a_stranger, probability_of, signs_of
from rag.answer.doubt import state_of as judged
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.index.protocols import SHARED, Ids, Scope, Scores, TextIndex, VectorIndex
from rag.language import mainly_chinese
from rag.records import AnswerState
from rag.retrieve.searching import SearchingHere
from rag.settings import DoubtSettings, DoubtWeights, Settings
from rag.store.rows import StoredPassage

NAMES = [field.name for field in dataclasses.fields(Signs)]
PENALTY = 0.01  # of the squared weights of standardised signs


def held_out(group: str) -> bool:
    """Whether a group is kept from the fit: a third of them."""
    return is_held_out(group)


class WithoutPassages:
    """An index that does not find some of its passages."""

    def __init__(self, index: VectorIndex | TextIndex) -> None:
        self._index = index
        self.left_out: Ids = np.zeros(0, np.int64)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def search(self, query: Any, k: int, scope: Scope = SHARED) -> tuple[Ids, Scores]:
        """As the index, without the passages left out."""
        ids, scores = self._index.search(query, k + len(self.left_out), scope)
        kept = ~np.isin(ids, self.left_out)
        return ids[kept][:k], scores[kept][:k]


def collect(engine: Engine, cases: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each case with its signs, its state as judged today, and what is missing."""
    answerer = engine.answerer
    ids = {document.name: document.id for document in engine.documents("")}
    retriever = answerer._retriever
    searching = retriever.searching
    assert isinstance(searching, SearchingHere)
    vectors, words = WithoutPassages(searching.vectors), WithoutPassages(searching.words)
    answerer._retriever = dataclasses.replace(
        retriever, searching=dataclasses.replace(searching, vectors=vectors, words=words)
    )
    passages = [row for rows, _ in retriever.store.all_passages() for row in rows]
    for case in cases:
        chosen = case.get("documents")
        scope = Scope("", None if chosen is None else frozenset(ids[name] for name in chosen))
        asked = Asked(case["question"], scope)
        vectors.left_out = words.left_out = passages_on(passages, case.get("left_out", ()))
        found = answerer.retrieve(asked)
        findings = answerer.find(asked, found)
        comparison = answerer.compare(asked, found)
        signs = signs_of(comparison, findings.evidence, answerer.scorer.unit, findings.odds)
        doubt = answerer.judge(comparison, findings)
        across = bool(findings.evidence) and mainly_chinese(case["question"]) != mainly_chinese(
            findings.evidence[0].text
        )
        yield {
            **case,
            "signs": dataclasses.asdict(signs) if signs else None,
            "asks": bool(findings.evidence) and comparison.asks,
            "missing": list(doubt.missing),
            "stranger": is_about_a_stranger(comparison),
            "state": doubt.state.value,
            "across": across,
        }


def passages_on(passages: Sequence[StoredPassage], pages: Iterable[Sequence[Any]]) -> Ids:
    """Ids of the passages on pages, given as pairs of a document's name and a page."""
    gone = [
        row.id
        for name, page in pages
        for row in passages
        if row.document == name and row.passage.first_page <= page <= row.passage.last_page
    ]
    return np.array(gone, np.int64)


def fitted(rows: Sequence[dict[str, Any]]) -> DoubtWeights:
    """Weights by logistic regression over the cases with signs in which nothing is missing, each kind alike."""
    rows = [row for row in rows if row["signs"] and row["asks"] and not row["missing"]]
    signs = np.array([[row["signs"][name] for name in NAMES] for row in rows])
    answerable = np.array([row["answerable"] for row in rows], float)
    counts = Counter((row["kind"], row["answerable"]) for row in rows)
    shares = np.array([counts[row["kind"], row["answerable"]] ** -0.5 for row in rows])
    shares /= shares.sum()
    mean, spread = signs.mean(0), signs.std(0) + 1e-9
    design = np.c_[(signs - mean) / spread, np.ones(len(signs))]
    penalty = PENALTY * np.diag([1.0] * len(NAMES) + [0.0])
    weights = np.zeros(len(NAMES) + 1)
    for _ in range(50):
        expected = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (shares * (expected - answerable)) + penalty @ weights
        bend = (design.T * (shares * expected * (1 - expected))) @ design + penalty + 1e-9 * np.eye(len(weights))
        weights -= np.linalg.solve(bend, slope)
    own = weights[:-1] / spread
    return DoubtWeights(
        constant=round(float(weights[-1] - own @ mean), 3),
        **{name: round(float(weight), 3) for name, weight in zip(NAMES, own, strict=True)},
    )


def state_of(row: dict[str, Any], settings: DoubtSettings) -> str:
    """The state of a case with these weights and gates."""
    if not row["asks"] or row["stranger"]:
        return "none"
    asked_in_chinese = mainly_chinese(row["question"])
    weights, gates = settings.of_scripts(asked_in_chinese=asked_in_chinese, across=row["across"])
    state = judged(probability_of(Signs(**row["signs"]), weights) if row["signs"] else 1.0, gates)
    hardly = row["signs"] and min(row["signs"]["years"], row["signs"]["names"]) < settings.min_presence
    return "closest" if state is AnswerState.ANSWER and (row["missing"] or hardly) else state.value


def report(rows: Sequence[dict[str, Any]], settings: DoubtSettings) -> dict[str, Any]:
    """Shares of the states of each kind, part and sort of question, as printed in a Markdown table."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        sort = "answerable" if row["answerable"] else "unanswerable"
        part = "held out" if held_out(row["group"]) else "used"
        for kind in (row["kind"], "all, across scripts" if row["across"] else "all, same script"):
            groups[kind, sort, part].append(state_of(row, settings))
    sys.stdout.write("| kind | questions | part | number | answer | closest | none |\n|---|---|---|---|---|---|---|\n")
    shares = {}
    for key in sorted(groups):
        states = Counter(groups[key])
        share = {state: round(states[state] / len(groups[key]), 3) for state in ("answer", "closest", "none")}
        shares[", ".join(key)] = {"number": len(groups[key]), **share}
        sys.stdout.write(f"| {' | '.join(key)} | {len(groups[key])} | {' | '.join(map(str, share.values()))} |\n")
    return shares


def main() -> None:
    """Collect the signs, fit if asked to, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pdfs", type=Path, required=True, help="folder with the PDFs")
    parser.add_argument("--cases", type=Path, required=True, help="file of cases, JSON lines")
    parser.add_argument("--data-dir", type=Path, help="folder to keep the index in; default: a temporary one")
    parser.add_argument("--signs", type=Path, action="append", default=[], help="file to keep the signs in, or more")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    parser.add_argument("--refit", action="store_true", help="fit the weights, print them and report with them")
    arguments = parser.parse_args()
    rows = [json.loads(line) for file in arguments.signs if file.exists() for line in file.open(encoding="utf-8")]
    if not rows:
        rows = list(_collected(arguments))
        for file in arguments.signs[:1]:
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    settings = DoubtSettings()
    if arguments.refit:
        used = [row for row in rows if not held_out(row["group"])]
        same, across = (fitted([row for row in used if row["across"] is sort]) for sort in (False, True))
        settings = dataclasses.replace(settings, same_script=same, across_scripts=across)
        sys.stdout.write(f"{same}\n{across}\n")
    sys.stdout.write(json.dumps({**machine(), "shares": report(rows, settings)}) + "\n")


def _collected(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    cases = [json.loads(line) for line in arguments.cases.read_text("utf-8").splitlines() if line.strip()]
    embedder = CachedEmbedder(open_embedder("auto", cache=arguments.cache_dir), arguments.cache_dir)
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings(data_dir=arguments.data_dir or Path(temporary))
        with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
            add_folder(engine, arguments.pdfs, lambda _: None)
            yield from collect(engine, cases)


if __name__ == "__main__":
    main()
