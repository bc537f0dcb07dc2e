"""Which functions of `rag/answer` change an answer: each is switched off for the questions in which it did something.

    python -m benchmarks.rules --data-dir FOLDER --questions FILE.jsonl [--scope document|all] [--sample N] [--most 12]

FOLDER is a data folder with the documents that the questions are about; FILE is in the format of `rag.evaluate`. First,
all questions are asked, and what each function returns is recorded. A function that only ever returned one trivial
value (None, False, something empty, or one of its arguments) changed no answer. Every other function that returned
something else in at most --most questions is then replaced by its trivial value, and those questions are asked again.

Prints one line per function: its length, the trivial value, in how many questions it returned that and something else,
how many answers change without it, and how many of those were right and no longer are. The engine's caches are not
cleared in between, so functions whose results are cached seem to change less. A function that did nothing here may
still be needed by other questions.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import inspect
import operator
import pkgutil
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import rag.answer
from benchmarks.ablation import MemoisingEmbedder
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import open_embedder
from rag.engine import Engine
from rag.evaluation.answer_scores import scores_of
from rag.evaluation.outcomes import Outcome
from rag.evaluation.question_file import Question, read_questions
from rag.records import Answer
from rag.settings import AnswerSettings, Settings

_RIGHT: Final = 0.5  # the least F1 of a right short answer
_SPAN: Final = 2  # values of a span: its start and its end
_GIVEN, _SAME_SPAN, _OTHER = "argument", "span", "other"
_CONSTANTS: Final[tuple[Any, ...]] = (None, True, False, 0, "", (), [], {}, frozenset())

Result = tuple[Any, ...]  # what is compared of an answer; whether its short answer is right comes first


class Recorder:
    """What each function returned, by question; and which function is switched off."""

    def __init__(self) -> None:
        self.given: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self.trivial: dict[tuple[str, str], Callable[[tuple[Any, ...]], Any]] = {}
        self.question, self.off = 0, ("", "")

    def wrapped(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The function, recorded under a name."""

        @functools.wraps(function)
        def recorded(*args: Any, **named: Any) -> Any:
            if self.off[0] == name:
                return self.trivial[self.off](args)
            value = function(*args, **named)
            if not self.off[0]:
                kind, make = _kind(value, args)
                self.given[name][kind].add(self.question)
                self.trivial[name, kind] = make
            return value

        for attribute in ("cache_clear", "cache_info"):
            if hasattr(function, attribute):
                setattr(recorded, attribute, getattr(function, attribute))
        return recorded


def _kind(value: Any, args: tuple[Any, ...]) -> tuple[str, Callable[[tuple[Any, ...]], Any]]:
    """The kind of a value, and a function that makes the same kind of value from other arguments."""
    for constant in _CONSTANTS:
        if type(value) is type(constant) and value == constant:
            return repr(constant), lambda _: value
    for n, one in enumerate(args):
        if (isinstance(value, str) and one == value) or (one is value and not isinstance(value, int)):
            return f"{_GIVEN} {n}", operator.itemgetter(n)
    if isinstance(value, tuple) and [type(one) for one in value] == [int, int] and value == args[-_SPAN:]:
        return _SAME_SPAN, lambda given: given[-_SPAN:]
    return _OTHER, lambda _: value


def record(recorder: Recorder) -> dict[str, int]:
    """Wrap all functions and methods of `rag.answer`; how many lines each has."""
    modules = [importlib.import_module(one.name) for one in pkgutil.walk_packages(rag.answer.__path__, "rag.answer.")]
    wrapped: dict[int, Callable[..., Any]] = {}
    kept, lines = [], dict[str, int]()
    for module in modules:
        lines.update(_lengths(module))
        for name, value in list(vars(module).items()):
            inner = inspect.unwrap(value) if callable(value) else value
            own = getattr(inner, "__module__", "") == module.__name__
            if own and isinstance(inner, FunctionType) and not inspect.isgeneratorfunction(inner):
                kept.append(value)  # an id belongs to another object once this one is gone
                wrapped[id(value)] = recorder.wrapped(value, f"{module.__name__}:{name}")
            elif own and isinstance(value, type):
                _record_methods(value, recorder)
    for loaded in [one for name, one in sys.modules.items() if name.startswith("rag.")]:
        for name, value in list(vars(loaded).items()):
            if not name.startswith("__"):
                replaced = _replaced(value, wrapped)
                if replaced is not value:
                    setattr(loaded, name, replaced)
    return lines


def _record_methods(owner: type, recorder: Recorder) -> None:
    for name, value in list(vars(owner).items()):
        plain = isinstance(value, FunctionType) and not inspect.isgeneratorfunction(value)
        if plain and not name.startswith("__"):
            setattr(owner, name, recorder.wrapped(value, f"{owner.__module__}:{owner.__name__}.{name}"))


def _replaced(value: Any, wrapped: dict[int, Callable[..., Any]]) -> Any:
    """The wrapped function in place of a function, also within tuples and dictionaries."""
    if id(value) in wrapped:
        return wrapped[id(value)]
    if type(value) is tuple:
        parts = tuple(_replaced(one, wrapped) for one in value)
        return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    if type(value) is dict:
        pairs = {key: _replaced(one, wrapped) for key, one in value.items()}
        return pairs if any(pairs[key] is not value[key] for key in pairs) else value
    return value


def _lengths(module: ModuleType) -> Iterator[tuple[str, int]]:
    tree = ast.parse(Path(module.__file__ or "").read_text("utf-8"))
    owners: list[ast.Module | ast.ClassDef] = [tree, *(one for one in tree.body if isinstance(one, ast.ClassDef))]
    for owner in owners:
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        for one in owner.body:
            if isinstance(one, ast.FunctionDef):
                yield f"{module.__name__}:{prefix}{one.name}", (one.end_lineno or one.lineno) - one.lineno + 1


def asked(engine: Engine, question: Question, scope: str) -> Result:
    """What is compared of the answer to a question."""
    ids = {document.name: document.id for document in engine.documents("")}
    chosen = [ids[question.document]] if scope == "document" and question.document else None
    *_, answer = engine.ask("", question.question, chosen)
    assert isinstance(answer, Answer)
    short, texts = answer.short, [one.lead + one.text for one in answer.sentences]
    right = scores_of(Outcome(question, None, 0.0, answer)).f1 >= _RIGHT
    return right, answer.state, short and (short.values, short.scale, short.sure), texts, repr(answer.missing)


def ablated(
    engine: Engine, questions: Sequence[Question], scope: str, recorder: Recorder, lines: dict[str, int], most: int
) -> Iterator[str]:
    """A line for each function and trivial value."""
    before = []
    for recorder.question, question in enumerate(questions):
        before.append(asked(engine, question, scope))
    for name in sorted(lines):
        given = recorder.given.get(name, {})
        if not given:
            yield f"{lines[name]:4} {name}: never called"
        for kind in sorted(set(given) - {_OTHER}):
            others = sorted(set[int]().union(*(numbers for one, numbers in given.items() if one != kind)))
            told = f"{lines[name]:4} {name}: {kind} in {len(given[kind])}, something else in {len(others)}"
            if 0 < len(others) <= most:
                recorder.off = (name, kind)
                after = [asked(engine, questions[n], scope) for n in others]
                recorder.off = ("", "")
                changed = [(before[n], new) for n, new in zip(others, after, strict=True) if before[n] != new]
                lost = sum(old[0] and not new[0] for old, new in changed)
                told += f"; without it {len(changed)} answers are others, {lost} no longer right"
            yield told


def main() -> None:
    """Ask all questions, and print what each function did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="a data folder with the documents")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines, as for rag.evaluate")
    parser.add_argument("--scope", choices=("document", "all"), default="document", help="what is searched (document)")
    parser.add_argument("--sample", type=int, help="ask so many of the questions, drawn at random (all)")
    parser.add_argument("--most", type=int, default=12, help="switch off what did something in so many (12)")
    arguments = parser.parse_args()
    questions = read_questions(arguments.questions)
    if arguments.sample:
        questions = random.Random(1).sample(questions, arguments.sample)
    cache = arguments.data_dir / "cache"
    embedder = MemoisingEmbedder(CachedEmbedder(open_embedder("packaged", cache=cache), cache))
    recorder = Recorder()
    lines = record(recorder)
    settings = Settings(data_dir=arguments.data_dir, answering=AnswerSettings(sentences_ahead=False))
    with Engine(settings, embedder=lambda: embedder, reader=QuoteReader()) as engine:
        engine.wait()
        for line in ablated(engine, questions, arguments.scope, recorder, lines, arguments.most):
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
