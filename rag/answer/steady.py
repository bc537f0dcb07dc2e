"""Keeps sources in place from turn to turn: what a model has just read comes first again, in the same words.

The prompt of a follow-up then starts like the one before, and the model need not read that part again
(`model/prompt_cache.py`). What is found for the follow-up comes after it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, count
from typing import Final

from rag.answer.context import SourceRead
from rag.records import Source

LEAST_SHARE: Final = 0.6  # share of what was read before, in tokens, that must be found again for it to stay in place
BEST_SOURCES: Final = 16  # sources considered in deciding how much stays in place
MOST_QUESTIONS: Final = 64  # questions, over all people, whose sources are kept; the text of one context each

Question = tuple[str, str, str]  # who asked, which reader, and what


class LastRead:
    """What models have read for recent questions, kept only in memory. Thread-safe."""

    def __init__(self, most: int = MOST_QUESTIONS) -> None:
        """`most`: questions."""
        self._most, self._lock = most, threading.Lock()
        self._read: OrderedDict[Question, tuple[SourceRead, ...]] = OrderedDict()

    def keep(self, question: Question, read: tuple[SourceRead, ...]) -> None:
        """Note what is read for a question, in order."""
        with self._lock:
            self._read[question] = read
            self._read.move_to_end(question)
            while len(self._read) > self._most:
                self._read.popitem(last=False)

    def of(self, question: Question) -> tuple[SourceRead, ...]:
        """What was read for a question, in order; nothing if that is not known."""
        with self._lock:
            return self._read.get(question, ())

    def forget(self, document_id: str) -> None:
        """Drop all that is kept of a document."""
        with self._lock:
            for question, read in list(self._read.items()):
                if any(one.source.document_id == document_id for one in read):
                    del self._read[question]


class Steady:
    """The sources of a follow-up, arranged by what was read for the question before it."""

    def __init__(self, sources: Sequence[Source], before: Sequence[SourceRead]) -> None:
        """`sources`: found for the follow-up, best first; `before`: what was read, in order.

        The longest start of `before` stays in place of whose sources LEAST_SHARE was found again.
        """
        self._sources, self._before = sources, before
        found = [one.tokens * any(_covers(one, source) for source in sources) for one in before]
        totals = zip(accumulate(found), accumulate(one.tokens for one in before), strict=True)
        enough = [n for n, (again, read) in enumerate(totals, 1) if found[n - 1] and again >= LEAST_SHARE * read]
        self.kept: Sequence[SourceRead] = before[: max(enough, default=0)]

    def leave_room(self, room: int, tokens_of: Callable[[Source], int]) -> None:
        """Keep only as much as leaves room for the better half of the sources that fit in `room` tokens."""
        tokens = [tokens_of(source) for source in self._sources[:BEST_SOURCES]]
        fitting = sum(total <= room for total in accumulate(tokens))
        better = list(zip(self._sources, tokens, strict=False))[: max(fitting // 2, 1)]
        while self.kept:
            new = sum(needed for source, needed in better if not any(_covers(one, source) for one in self.kept))
            if sum(one.tokens for one in self.kept) + new <= room:
                return
            self.kept = self.kept[:-1]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, best first, then the others that are kept; each kept one has its old number.

        A kept source replaces one whose passage it contains.
        """
        numbers = {one.source.number for one in self.kept}
        unused = (number for number in count(1) if number not in numbers)
        arranged: dict[int, Source] = {}
        for source in self._sources:
            holder = next((one.source for one in self.kept if _covers(one, source)), None)
            if holder is None:
                number = next(unused)
                arranged[number] = replace(source, number=number)
            else:
                arranged.setdefault(holder.number, _found_as(holder, source))
        for one in self.kept:
            arranged.setdefault(one.source.number, replace(one.source, score=0.0, signals=()))
        return tuple(arranged.values())


def _passage(source: Source) -> tuple[int, int]:
    """The characters of the retrieved passage, in its document's text."""
    start, end = source.passage_span or (0, len(source.text))
    return source.start + start, source.start + end


def _covers(one: SourceRead, source: Source) -> bool:
    """Whether a source's passage is in what was read of another."""
    start, end = _passage(source)
    within = one.source.document_id == source.document_id and one.source.start <= start and end <= one.source.end
    return within and (one.is_whole or source.passage_text.strip() in one.read.text)


def _found_as(holder: Source, source: Source) -> Source:
    """A source that was read before, found again for the passage of another."""
    start, end = _passage(source)
    return replace(
        holder,
        passage_id=source.passage_id,
        passage_span=(start - holder.start, end - holder.start),
        score=source.score,
        signals=source.signals,
    )
