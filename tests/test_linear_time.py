"""Every regular expression on hostile text: twice the text may not take four times the time.

Patterns are found by walking the modules, so that a new one is tested by itself, and pumped with what their own parts
match. Time is the processor time of this thread; only patterns that are slow are measured at two sizes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, islice
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser
from types import ModuleType

import pytest

import model
import rag
import webui
from rag.answer.facts.table import known_facts

ROOT = Path(__file__).parents[1]
MAX_RATIO = 2.6  # of the times at twice and at once the size
REPEATS = 3  # the least of so many measurements counts
SIZES = (300, 2_000, 12_000)  # characters, tried until the time is suspicious
SUSPICIOUS_SECONDS = 3e-3
SUSPICIOUS_PER_CHARACTER = 3e-7  # seconds; a linear pass over text takes a tenth
LARGEST = 130_000  # characters of the larger of two sizes
MAX_SECONDS = 1.0  # a measurement beyond it is the last
MAX_INPUTS = 36  # tried on one pattern

# Patterns that see only so many characters: short questions, or text of our own.
BOUNDED = {
    "rag.answer.arithmetic": 200,
    "rag.answer.facts.question": 300,
    "rag.answer.figures.question": 1_000,
    "rag.answer.metrics.wording": 1_000,
    "rag.answer.phrases.kind": 1_000,
    "rag.answer.summary.request": 200,
    "rag.retrieve.dialogue": 600,
    "webui.views.render": 500,  # blank lines of our templates
}
BOUNDED_SECONDS = 1.0
COMMON = [" ", "\n", "\t", "a", "A", "1", "(", ")", "[", "一", "a ", "A ", "1,", ". ", ", ", "1.", "-", "'", "“", "[1"]
EXAMPLES = {
    op.CATEGORY_DIGIT: "1",
    op.CATEGORY_NOT_DIGIT: "a",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_SPACE: "a",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_NOT_WORD: "-",
}


def modules() -> Iterator[ModuleType]:
    for package in (rag, model, webui):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield importlib.import_module(found.name)


def patterns_in(value: object, depth: int = 0) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, dict):
        yield from chain.from_iterable(patterns_in(one, depth + 1) for one in chain(value, value.values()))
    elif depth < 4 and isinstance(value, tuple | list | set | frozenset):
        yield from chain.from_iterable(patterns_in(one, depth + 1) for one in value)


@cache
def sources() -> str:
    return "\n".join(
        path.read_text() for package in ("rag", "model", "webui") for path in ROOT.glob(f"{package}/**/*.py")
    )


def is_only_matched(module: ModuleType, name: str) -> bool:
    """Whether a pattern is only tried at one place of a text, nowhere searched."""
    text = inspect.getsource(module) if name.startswith("_") else sources()
    uses = re.findall(rf"\b{name}\b(?!\s*[:=])\.?(\w*)", text)
    return bool(uses) and set(uses) <= {"match", "fullmatch"}


def all_patterns() -> dict[str, tuple[re.Pattern, bool, int]]:
    """By a name for the test: the pattern, whether it is only matched, and the characters it sees at most."""
    found: dict[str, tuple[re.Pattern, bool, int]] = {}
    known: set[tuple[str, int]] = set()
    for module in modules():
        bound = next((size for name, size in BOUNDED.items() if f"{module.__name__}.".startswith(f"{name}.")), 0)
        for name, value in sorted(vars(module).items()):
            for number, pattern in enumerate(patterns_in(value)):
                if isinstance(pattern.pattern, str) and (pattern.pattern, pattern.flags) not in known:
                    known.add((pattern.pattern, pattern.flags))
                    found[f"{module.__name__}.{name}[{number}]"] = (pattern, is_only_matched(module, name), bound)
    return found


def characters(choices: list) -> list[str]:
    """Some characters that a set of the pattern matches."""
    named = [chr(value) for kind, value in choices if kind is op.LITERAL]
    named += [chr(value[0]) for kind, value in choices if kind is op.RANGE]
    named += [EXAMPLES[value] for kind, value in choices if kind is op.CATEGORY]
    if choices[0][0] is not op.NEGATE:
        return named
    return [one for one in "a 1-(.é人" if one not in named][:3] or ["\x01"]


def sample(tokens: object, pick: random.Random) -> str:
    """A text that the tokens of a parsed pattern match, look-arounds left out."""
    parts = []
    for kind, value in tokens:  # type: ignore[attr-defined]
        match kind:
            case op.LITERAL:
                parts.append(chr(value))
            case op.NOT_LITERAL | op.ANY:
                parts.append("a" if value != ord("a") else "b")
            case op.IN:
                parts.append(pick.choice(characters(value)))
            case op.BRANCH:
                parts.append(sample(pick.choice(value[1]), pick))
            case op.SUBPATTERN:
                parts.append(sample(value[3], pick))
            case op.ATOMIC_GROUP:
                parts.append(sample(value, pick))
            case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
                count = min(value[0], 50) or pick.randint(0, 1)
                parts += [sample(value[2], pick) for _ in range(count)]
    return "".join(parts)


def pumps(tokens: list, pick: random.Random, before: str = "") -> Iterator[tuple[str, str]]:
    """(what comes first, what is repeated) for each repetition without a bound."""
    for index, (kind, value) in enumerate(tokens):
        here = before + sample(tokens[:index], pick)
        match kind:
            case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
                if value[1] > 100:
                    for body in {sample(value[2], pick) for _ in range(3)}:
                        yield from ((here, body), ("", here + body), ("", here))
                yield from pumps(value[2], pick, here)
            case op.SUBPATTERN:
                yield from pumps(value[3], pick, here)
            case op.ATOMIC_GROUP:
                yield from pumps(value, pick, here)
            case op.BRANCH:
                yield from chain.from_iterable(pumps(branch, pick, here) for branch in value[1])


def inputs(pattern: re.Pattern) -> list[Callable[[int], str]]:
    """Makers of hostile texts of a given length for the pattern."""
    own = pumps(parser.parse(pattern.pattern, pattern.flags), random.Random(0))
    pairs = dict.fromkeys(chain((("", pump) for pump in COMMON), own))
    return [
        lambda size, first=first, pump=pump: f"{first}{pump * (size // len(pump))}\0"
        for first, pump in islice(pairs, MAX_INPUTS)
        if pump
    ]


def seconds(run: Callable[[str], object], text: str, repeats: int = 1) -> float:
    """Processor time of this thread, the least of so many runs."""
    least = float("inf")
    for _ in range(repeats):
        start = time.thread_time()
        run(text)
        least = min(least, time.thread_time() - start)
    return least


def growth(run: Callable[[str], object], make: Callable[[int], str]) -> float:
    """The ratio of the times at twice and at once the size, at the largest size that takes bearable time."""
    for size in SIZES:
        if seconds(run, make(size)) > SUSPICIOUS_SECONDS + SUSPICIOUS_PER_CHARACTER * size:
            break
    else:
        return 1.0
    # A bounded repetition costs its bound at first: only what holds at larger sizes counts.
    while True:
        once, twice = (seconds(run, make(factor * size), REPEATS) for factor in (1, 2))
        if twice / once <= MAX_RATIO or twice > MAX_SECONDS / 8 or 4 * size > LARGEST:
            return twice / once
        size *= 2


def patterns_of_facts() -> Iterator[tuple[str, re.Pattern]]:
    """Those of `facts.toml`, which are searched on whole pages, as they are compiled for a company."""
    for fact in known_facts():
        for number, rule in enumerate(fact.rules):
            for pattern in filter(None, (rule.compiled(["Acme"]), rule.within, rule.unless)):
                yield f"{fact.name}[{number}] {pattern.pattern[:20]}", pattern


PATTERNS = all_patterns() | {name: (pattern, False, 0) for name, pattern in patterns_of_facts()}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_linear_time(name):
    pattern, only_matched, bound = PATTERNS[name]

    def run(text: str) -> None:
        if only_matched:
            pattern.match(text)
            pattern.fullmatch(text)
        else:
            for _ in pattern.finditer(text):
                pass

    for make in inputs(pattern):
        if bound:
            assert seconds(run, make(bound), 1) < BOUNDED_SECONDS, repr(make(40))
        else:
            assert growth(run, make) < MAX_RATIO, repr(make(40))


@pytest.mark.parametrize("pattern", [r"\s+$", r"\([^)]*\)", r"\d+x", r"[ab]*c"])
def test_a_quadratic_pattern_is_found(pattern):
    compiled = re.compile(pattern)
    assert any(growth(lambda text: list(compiled.finditer(text)), make) > MAX_RATIO for make in inputs(compiled)[:30])
