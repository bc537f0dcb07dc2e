"""Words with opposite and similar meanings, by their stems, from the data files next to this module."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from rag.language import CJK

Side = tuple[int, int]  # line of the file, and 0 or 1 for the side of the bar

_HAN_WORD = re.compile(f"[{CJK}]+")
_IRREGULAR: Final = dict(
    pair.split(":")
    for pair in (
        "rose:rise risen:rise fell:fall fallen:fall grew:grow grown:grow sold:sell bought:buy made:make built:build"
        " led:lead became:become began:begin begun:begin came:come went:go gone:go took:take taken:take gave:give"
        " given:give found:find kept:keep held:hold left:leave lost:lose won:win met:meet paid:pay said:say saw:see"
        " seen:see sent:send shown:show showed:show spent:spend stood:stand told:tell thought:think wrote:write"
        " written:write drew:draw drawn:draw drove:drive driven:drive chose:choose chosen:choose brought:bring"
        " broke:break broken:break fought:fight forgot:forget got:get hid:hide knew:know known:know lay:lie"
        " meant:mean ran:run sank:sink shrank:shrink sang:sing spoke:speak spoken:speak taught:teach"
        " understood:understand wore:wear children:child men:man women:woman people:person feet:foot has:have"
        " had:have was:be were:be is:be are:be been:be am:be did:do does:do done:do died:die dying:die lying:lie"
        " higher:high highest:high larger:large largest:large used:use uses:use using:use n't:not cannot:not"
        " lower:low lowest:low"
    ).split()
)
_SUFFIXES: Final = ("ingly", "edly", "ments", "ment", "ings", "ing", "ies", "ied", "ily", "ed", "es", "ly", "s")
_Y_ENDINGS: Final = frozenset({"ies", "ied", "ily"})
_PREFIXES: Final = ("un", "in", "im", "il", "ir", "dis", "non", "non-", "de")
_LINES_OF_CHANGE = 2  # of opposites.txt, from the first: increase and decrease, higher and lower
_MIN_STEM = 3
_NOTES: Final = frozenset("note notes noted noting".split())  # which would have the stem of "not"


@functools.lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A word without its inflection, so that "declined", "declines" and "declining" are one."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
    word = _IRREGULAR.get(word, word)
    if word in _NOTES:
        return "note"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM and not word.endswith(("ss", "us", "is")):
            rest = word[: -len(suffix)]
            if suffix in _Y_ENDINGS:
                return rest + "i"
            return _undoubled(rest).removesuffix("e")
    if len(word) <= _MIN_STEM:
        return word
    return word[:-1] + "i" if word[-1] == "y" else word.removesuffix("e")


def _undoubled(rest: str) -> str:
    """Without a doubled last consonant: "stopp" -> "stop"; "fall" is unchanged."""
    return rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsze" else rest


@functools.cache
def _file(name: str) -> list[list[list[str]]]:
    """The lines of a data file as sides of words."""
    text = (Path(__file__).parent / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [[[word.strip() for word in side.split(",")] for side in line.split("|")] for line in lines]


@functools.cache
def opposites() -> dict[str, frozenset[Side]]:
    """Each stem or Chinese word -> the sides of the lines it stands on."""
    found: dict[str, set[Side]] = {}
    for number, sides in enumerate(_file("opposites.txt")):
        for side, words in enumerate(sides):
            for word in words:
                found.setdefault(_key(word.removeprefix("~")), set()).add((number, side))
    return {word: frozenset(sides) for word, sides in found.items()}


@functools.cache
def synonyms() -> dict[str, frozenset[int]]:
    """Each stem or Chinese word -> the groups it belongs to; each side of an opposite is also a group."""
    found: dict[str, set[int]] = {}
    groups = [words for (words,) in _file("synonyms.txt")]
    groups += [[word for word in words if word[0] != "~"] for sides in _file("opposites.txt") for words in sides]
    for number, words in enumerate(groups):
        for word in words:
            if len(word) > 1 and " " not in word:
                found.setdefault(_key(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def _key(word: str) -> str:
    return word if _HAN_WORD.fullmatch(word) else " ".join(stem(part) for part in word.split())


@functools.cache
def _phrases() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The synonyms of two or three words, each with a single word of its group: "set up" is "found"."""
    found = []
    for (words,) in _file("synonyms.txt"):
        for phrase in (word for word in words if " " in word and word.isascii() and not word.startswith("the ")):
            first, *rest = phrase.split()
            pattern = rf"(?=\b([a-z]+) (?:[a-z]+ ){{0,2}}{' '.join(rest)}\b)"
            found.append((re.compile(pattern, re.IGNORECASE), f"{stem(first)} {_key(words[0])}"))
    return tuple(found)


def stems_of_deeds(text: str) -> set[str]:
    """Stems that stand for the phrases in a text: "resign" for "stepped down"."""
    found = set[str]()
    for pattern, meant in _phrases():
        first, word = meant.split(" ", 1)
        if any(stem(match[1]) == first for match in pattern.finditer(text)):
            found.add(word)
    return found


def are_opposite(one: str, other: str) -> bool:
    """Whether two stems, or two Chinese words, have opposite meanings."""
    table = opposites()
    sides = table.get(other, frozenset())
    if any((line, 1 - side) in sides for line, side in table.get(one, ())):
        return not are_synonyms(one, other)
    short, long = sorted((one, other), key=len)
    return short.isascii() and len(short) > _MIN_STEM and any(long == prefix + short for prefix in _PREFIXES)


def tells_change(word: str) -> bool:
    """Whether a stem, or a Chinese word, says that a value rose or fell, or is higher or lower."""
    return any(line < _LINES_OF_CHANGE for line, _ in opposites().get(word, ()))


@functools.cache
def _exclusive() -> dict[str, frozenset[int]]:
    """Each stem -> the sets it belongs to; only one word of such a set can be true in a place."""
    found: dict[str, set[int]] = {}
    for number, (words,) in enumerate(_file("exclusive.txt")):
        for word in words:
            found.setdefault(_key(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


def are_exclusive(one: str, other: str) -> bool:
    """Whether two different stems are members of one such set."""
    table = _exclusive()
    return one != other and not table.get(one, frozenset()).isdisjoint(table.get(other, frozenset()))


def are_synonyms(one: str, other: str) -> bool:
    """Whether two stems, or two Chinese words, are in one group."""
    table = synonyms()
    return one == other or not table.get(one, frozenset()).isdisjoint(table.get(other, frozenset()))


def has_synonym(word: str, words: Iterable[str]) -> bool:
    """Whether one of these English words is this one in any form, or a synonym."""
    wanted = stem(word)
    return any(are_synonyms(wanted, stem(other)) for other in words if other.isascii())


@functools.cache
def _han_words() -> tuple[frozenset[str], int]:
    words = frozenset(word for word in (*opposites(), *synonyms()) if _HAN_WORD.fullmatch(word) and len(word) > 1)
    return words, max(map(len, words))


def han_words(text: str) -> Iterator[tuple[int, str]]:
    """(start, word) of the known Chinese words of two characters or more in a text, the longest from each place."""
    words, longest = _han_words()
    start = 0
    while start < len(text):
        for length in range(min(longest, len(text) - start), 1, -1):
            if text[start : start + length] in words:
                yield start, text[start : start + length]
                start += length
                break
        else:
            start += 1
