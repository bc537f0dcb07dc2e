"""Reads whole documents part by part: what each part says for a request is noted, and the notes make the answer.

The notes keep the marks of the sources, so that the answer cites the passages themselves (map and reduce, as of
Dean & Ghemawat 2004, over texts). A request is about the documents that it names, or about all.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rag.answer.context import pack_context, title_tokens
from rag.answer.source_tables import SourceTables
from rag.answer.summary.request import summary_target
from rag.answer.summary.summary import documents_asked
from rag.answer.surroundings import blocks_of
from rag.errors import AnswerCut
from rag.index.protocols import Scope
from rag.language import has_chinese_without_kana
from rag.manner import Manner
from rag.reader import NOT_SHARED, PromptScopes, Reader, ReadRequest, Sampling
from rag.records import Document, Reading, Source
from rag.settings import ContextSettings, Settings
from rag.store.database import Store

MAX_CHARACTERS: Final = 200  # of such a request

_POLITE = r"(?:(?:please|kindly|can you|could you|would you|now|then|and|i want you to|i need you to)[, ]{1,2}){0,4}"
_DOCUMENT = (
    r"(?:documents?|files?|pdfs?|reports?|papers?|articles?|contracts?|agreements?|leases?|manuals?|policies|texts?"
    r"|filings?|versions?|letters?)"
)
_FILE = r"[\"“'‘]?[^\"”'’]{1,80}?\.pdf[\"”'’]?"
_TWO = (
    r"(?:both|all|these|those|the|my|two|three|2|3|them)(?: (?:of|the|these|those|two|three|2|3|all)){0,4}"
    rf"(?: {_DOCUMENT})?"
)
_LIST: Final = (
    r"(?:list|name|find|give|show|tell|extract|collect|enumerate|identify|gather|note)(?: me| us| out)?"
    r" (?:a (?:complete |full )?list of )?(?:all|every|each)\b.{2,}",
    r"make (?:me )?a (?:complete|full) list of .{2,}",
    r"what are all (?:of )?(?:the )?.{2,}",
    r"(?:list|collect|extract) (?:the )?[a-z][\w -]{1,60} (?:in|from|of) (?:this|the|these|both) (?:\w+ )?" + _DOCUMENT,
)
_COMPARE: Final = (
    rf"compare {_TWO}",
    rf"compare {_FILE} (?:and|with|to|against) {_FILE}",
    rf"(?:what (?:are|is)|list|show(?: me)?|describe|explain)(?: all)? the (?:main |key )?differences? between {_TWO}",
    rf"(?:what (?:are|is)|list)(?: all)? the (?:main |key )?differences? between {_FILE} and {_FILE}",
    rf"how do {_TWO} differ(?: from each other)?",
    rf"what (?:has )?changed between {_TWO}",
)
_HAN_POLITE = r"(?:请问?|请你|麻烦你?|帮我|帮忙|给我|能不能|能否|可以|可否|你能){0,4}"
_HAN_DOCUMENT = r"(?:文件|文档|报告|年报|合同|协议|论文|文章|手册|资料|材料|版本)"
_HAN_TWO = (
    rf"(?:这|那)?(?:两|二|三|几|2|3)(?:个|份|篇|本|者)?{_HAN_DOCUMENT}?|这些{_HAN_DOCUMENT}|它们|所有{_HAN_DOCUMENT}"
)
_HAN_LIST: Final = (
    r"(?:列出|列举|罗列|找出|找到|提取|汇总|整理|梳理|归纳)(?:一下)?(?:.{0,20}[中里]面?的?)?"
    r"(?:所有|全部|每个|每一|各个?|一切).{1,40}",
    r"(?:.{0,20}(?:中|里|里面))?(?:所有|全部)的?.{1,30}(?:有哪些|是什么|是哪些|列出来)",
    r"把.{0,30}(?:所有|全部).{1,30}(?:列|找|提取|整理)出来",
)
_HAN_COMPARE: Final = (
    rf"(?:比较|对比|比对)(?:一下)?(?:{_HAN_TWO})(?:的?(?:内容|异同|差异|区别|不同)(?:之处)?)?",
    rf"(?:{_HAN_TWO})(?:之间)?(?:有|存在)?(?:什么|哪些|何)?(?:主要)?的?(?:不同|区别|差异|异同)(?:之处|点)?"
    r"(?:是什么|有哪些|在哪里?)?",
)
FULL_ENOUGH: Final = 0.6  # share of a part, from which on it ends at the end of a section
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


class Whole(StrEnum):
    """What is asked of whole documents."""

    SUMMARY = "summary"
    LIST = "list"
    COMPARISON = "comparison"


def _compiled(patterns: tuple[str, ...], polite: str, end: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(f"{polite}(?:{pattern}){end}", re.IGNORECASE) for pattern in patterns)


_PATTERNS: Final = {
    Whole.COMPARISON: _compiled(_COMPARE, _POLITE, "") + _compiled(_HAN_COMPARE, _HAN_POLITE, "[吗呢吧啊]*"),
    Whole.LIST: _compiled(_LIST, _POLITE, "") + _compiled(_HAN_LIST, _HAN_POLITE, "[吗呢吧啊]*"),
}


def whole_request(question: str) -> Whole | None:
    """What a question asks of whole documents; None for a question about something in them."""
    text = " ".join(unicodedata.normalize("NFKC", question).split()).strip(" ?.!。，,；;？！")
    if not text or len(text) > MAX_CHARACTERS:
        return None
    for kind, patterns in _PATTERNS.items():
        if any(pattern.fullmatch(text) for pattern in patterns):
            return kind
    return Whole.SUMMARY if summary_target(question) is not None else None


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one document, or all documents together if they fit."""

    sources: tuple[Source, ...]

    @property
    def title(self) -> str:
        """The document, and the pages from the first to the last."""
        first, last = self.sources[0], self.sources[-1]
        if first.first_page == last.first_page:
            return f"{first.document}, p. {first.page_label}"
        return f"{first.document}, pp. {first.page_label}–{last.page_label}"


@dataclass(frozen=True, slots=True)
class Parts:
    """Whole documents."""

    sources: tuple[Source, ...]  # all of them, numbered
    parts: tuple[Part, ...]


def whole_sources(store: Store, documents: Sequence[Document], source_characters: int) -> tuple[Source, ...]:
    """All text of documents as numbered sources in reading order, none across pages if possible."""
    sources: list[Source] = []
    for document in documents:
        rows = store.document_passages(document.owner, document.id)
        sources += blocks_of(rows, source_characters)
    return tuple(replace(source, number=number) for number, source in enumerate(sources, 1))


def parts_of(sources: Sequence[Source], room: int, tokens_of: Callable[[Source], int]) -> Parts:
    """Sources in parts of at most `room` tokens; all in one if they fit, else no part contains two documents.

    A part that is nearly full ends at the end of a section.
    """
    sizes = [tokens_of(source) for source in sources]
    if sum(sizes) <= room:
        return Parts(tuple(sources), (Part(tuple(sources)),))
    parts: list[list[Source]] = []
    used = 0
    for source, size in zip(sources, sizes, strict=True):
        last = parts[-1][-1] if parts else None
        fits = last is not None and last.document_id == source.document_id and used + size <= room
        begins_section = last is not None and last.heading[:1] != source.heading[:1] and used > FULL_ENOUGH * room
        if not fits or begins_section:
            parts.append([])
            used = 0
        parts[-1].append(source)
        used += size
    return Parts(tuple(sources), tuple(Part(tuple(part)) for part in parts))


# ---- which documents a request over whole documents is about


MAX_PARTS: Final = 100  # that a request is read in; with more, passages are retrieved as for any question
TOKENS_PER_PASSAGE: Final = 100  # fewest, used to refuse too many parts before anything is read


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A question about whole documents."""

    question: str
    kind: Whole
    scope: Scope
    mentioned: Collection[str]  # ids of the documents that the conversation was about
    named: Collection[str]  # ids of those that the question names


def parts_asked(store: Store, request: WholeRequest, reader: Reader, room: int, settings: Settings) -> Parts | None:
    """The documents asked, in parts of at most `room` tokens; None if there are none, or too many parts."""
    documents = _documents(store, request)
    least = sum(document.passages for document in documents) * TOKENS_PER_PASSAGE
    if not documents or room <= 0 or least > MAX_PARTS * room:
        return None
    sources = whole_sources(store, documents, settings.retrieval.source_characters)
    context = settings.answering.context

    def tokens_of(source: Source) -> int:
        return reader.count_tokens(source.text) + title_tokens(source, reader, context)

    parts = parts_of(sources, room, tokens_of)
    return parts if 0 < len(parts.parts) <= MAX_PARTS else None


def _documents(store: Store, request: WholeRequest) -> list[Document]:
    kind, scope = request.kind, request.scope
    if kind is Whole.SUMMARY:
        return documents_asked(store, scope, request.question, request.mentioned)
    everything = [one for one in store.documents(scope.owner) if scope.allows((one.owner, one.id))]
    least = 2 if kind is Whole.COMPARISON else 1
    for ids in (request.named, request.mentioned):
        chosen = [document for document in everything if document.id in ids]
        if len(chosen) >= least:
            return chosen
    return everything if len(everything) >= least else []


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
        """What is read of each part, then the answer in pieces; if it is stopped before that, the notes so far.

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
        """Note what each part says, until stopped."""
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
        """Summarise the notes themselves, as many together as fit, until all of them fit."""
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
