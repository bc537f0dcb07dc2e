"""Reads whole documents part by part: what each part says for a request is noted, and the notes make the answer.

The notes keep the marks of the sources, so that the answer cites the passages themselves (map and reduce, as of
Dean & Ghemawat 2004, over texts).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from rag.answer.context import pack_context
from rag.answer.source_tables import SourceTables
from rag.answer.whole.parts import Part, Parts
from rag.errors import AnswerCut
from rag.language import has_chinese_without_kana
from rag.manner import Manner
from rag.reader import NOT_SHARED, PromptScopes, Reader, ReadRequest, Sampling
from rag.records import Reading, Source
from rag.settings import ContextSettings

NOTES_SHARE: Final = 0.125  # of the context that the notes of one part may take
LEAST_NOTES: Final = 128  # tokens that they may take, however short the context is
_NOTHING: Final = re.compile(r"\W*(?:nothing|none|no information|没有|无|无相关内容|没有相关内容)\W*", re.IGNORECASE)
_ENGLISH: Final = (
    "{question}\nThis is part {part} of {parts} of the documents. For now, only note what it says for this request, one"
    " fact a line, names, figures and dates included, each line with its source number. If it says nothing for it,"
    " write only: nothing."
)
_CHINESE: Final = (
    "{question}\n这是全部文档的第 {part} 部分，共 {parts} 部分。现在只记下这一部分中与上述要求有关的内容："
    "每行一条，保留名称、数字和日期，并注明资料编号。如果没有相关内容，只写：没有。"
)


class WholeReading:
    """One request over whole documents, for one reader."""

    def __init__(
        self,
        question: str,
        reader: Reader,
        sampling: Sampling,
        manner: Manner,
        settings: ContextSettings,
        scopes: Callable[[Sequence[Source]], PromptScopes] = lambda sources: NOT_SHARED,
    ) -> None:
        """`scopes`: among whom a prompt with these sources is shared."""
        self._question, self._reader, self._sampling, self._manner = question, reader, sampling, manner
        self._settings, self._scopes = settings, scopes
        most = max(int(reader.context_tokens * NOTES_SHARE), LEAST_NOTES)
        self._noting = replace(sampling, max_tokens=min(most, sampling.max_tokens))
        self.notes: list[str] = []  # of the parts read so far

    @property
    def room(self) -> int:
        """The tokens that the sources of one part may take."""
        request = ReadRequest(self._asked(999, 999), (), sampling=self._noting, manner=self._manner, notes=("",))
        return self._reader.context_tokens - self._sampling.max_tokens - self._reader.prompt(request).tokens

    def read(self, documents: Parts, tables: SourceTables, stop: threading.Event) -> Iterator[Reading | str]:
        """What is read of each part, then the answer in pieces; where it is stopped before, the notes so far.

        Raises QuestionRefused, ReaderError, and AnswerCut after the last piece.
        """
        parts, total = documents.parts, len(documents.sources)
        if len(parts) == 1:
            request = self._request(self._question, self._sampling, parts[0], tables)
            yield self._reading(request, total, parts=1)
            yield from self._reader.answer(request, stop)
            return
        yield from self._noted(documents, tables, stop)
        yield from self._shortened(total, len(parts), stop)
        if stop.is_set():
            yield "\n\n".join(self.notes)
        elif self.notes:
            notes = tuple(self.notes)
            request = ReadRequest(self._question, (), sampling=self._sampling, manner=self._manner, notes=notes)
            yield self._reading(request, total, sources=total, parts=len(parts))
            yield from self._reader.answer(request, stop)

    def _noted(self, documents: Parts, tables: SourceTables, stop: threading.Event) -> Iterator[Reading]:
        """Note what each part says, until it is stopped."""
        parts = documents.parts
        for number, part in enumerate(parts, 1):
            request = self._request(self._asked(number, len(parts)), self._noting, part, tables)
            yield self._reading(request, len(documents.sources), part=number, parts=len(parts))
            said = self._said(request, stop)
            if said and not _NOTHING.fullmatch(said):
                self.notes.append(f"{part.title}:\n{said}")
            if stop.is_set():
                return

    def _shortened(self, total: int, parts: int, stop: threading.Event) -> Iterator[Reading]:
        """Note the notes themselves, as many together as fit, until all of them fit."""
        while len(self.notes) > 1 and not stop.is_set() and not self._fits(self.notes, self._sampling):
            groups: list[list[str]] = [[]]
            for note in self.notes:
                if groups[-1] and not self._fits([*groups[-1], note], self._noting):
                    groups.append([])
                groups[-1].append(note)
            if len(groups) == len(self.notes):  # no two of them fit together
                self.notes = [note[: len(note) // 2] for note in self.notes]
                continue
            shorter = []
            for number, group in enumerate(groups, 1):
                asked = self._asked(number, len(groups))
                request = ReadRequest(asked, (), sampling=self._noting, manner=self._manner, notes=tuple(group))
                yield self._reading(request, total, sources=total, parts=parts)
                shorter.append(self._said(request, stop) or "\n".join(group))
                if stop.is_set():
                    return
            self.notes = shorter

    def _fits(self, notes: Sequence[str], sampling: Sampling) -> bool:
        request = ReadRequest(self._asked(999, 999), (), sampling=sampling, manner=self._manner, notes=tuple(notes))
        return self._reader.prompt(request).tokens + sampling.max_tokens <= self._reader.context_tokens

    def _request(self, question: str, sampling: Sampling, part: Part, tables: SourceTables) -> ReadRequest:
        settings = replace(self._settings, max_source_share=1.0)
        packed = pack_context(question, part.sources, (), self._reader, sampling, settings, tables, manner=self._manner)
        scopes = self._scopes(part.sources)
        return ReadRequest(question, packed.sources, sampling=sampling, manner=self._manner, scopes=scopes)

    def _asked(self, part: int, parts: int) -> str:
        chinese = self._manner.in_chinese(asked_in_chinese=has_chinese_without_kana(self._question))
        return (_CHINESE if chinese else _ENGLISH).format(question=self._question, part=part, parts=parts)

    def _said(self, request: ReadRequest, stop: threading.Event) -> str:
        """What the reader notes; notes that reach their limit end with their last whole line."""
        pieces: list[str] = []
        try:
            pieces += self._reader.answer(request, stop)
        except AnswerCut:
            whole, _, _ = "".join(pieces).rpartition("\n")
            return whole.strip() or "".join(pieces).strip()
        return "".join(pieces).strip()

    def _reading(
        self, request: ReadRequest, total: int, *, part: int = 0, parts: int, sources: int | None = None
    ) -> Reading:
        used = len(request.sources) if sources is None else sources
        return replace(reading_of(request, self._reader, total), sources=used, part=part, parts=parts)


def reading_of(request: ReadRequest, reader: Reader, found: int) -> Reading:
    """What a reader reads for a request, for which so many sources were found."""
    prompt = reader.prompt(request)
    return Reading(
        len(request.sources),
        found,
        prompt.tokens,
        reader.context_tokens,
        prompt.text,
        cached_tokens=prompt.cached_tokens,
    )
