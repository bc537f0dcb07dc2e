"""A request about whole documents -> what they are, and the sentences that represent most of their text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.answer.summary.profile import MAX_WORDS, NUMBERED_HEADING, Profile, outline_of, profile_of, statements
from rag.answer.summary.request import named_documents, summary_target
from rag.index.protocols import Scope
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.records import Citation, Document, ShortAnswer, Source, TableExcerpt, Vectors
from rag.settings import SummarySettings
from rag.store.database import Store
from rag.store.rows import StoredPassage

_ALL: Final = re.compile(
    r"\b(?:all|each|every|both|these|those|documents|files|reports)\b|所有|全部|这些|每", re.IGNORECASE
)
SMOOTHING: Final = 4  # terms added to the number of a sentence's terms, so that short ones do not win
SAME_SECTION: Final = 0.5  # factor for each sentence that is already picked from a section
_ABSTRACT: Final = re.compile(r"(?mi)^[^\S\n]*(?:abstract|summary|摘\s{0,9}要)\s*(?:[:.：]|$)")
# Headings under which a document says what it is about (the "cue method" of Edmundson, JACM 16(2), 1969).
_CUE_HEADING: Final = re.compile(
    r"\babstract\b|\boverview\b|\bexecutive summary\b|\bhighlights\b|\bintroduction\b|\bconclusions?\b"
    r"|\bdiscussion\b|\bpurpose\b|\bscope\b"
    r"|^(?:[\dIVX.]{1,20}\s{0,9})?(?:part i\b\W{0,20})?(?:item 1\.?\s{0,9})?\W{0,20}"
    r"(?:summary|(?:description of )?(?:the |our )?(?:business|company)|general(?: description)?|about .{1,40}"
    r"|results of operations|premises|subject|term)\b"
    r"|摘要|概述|概况|引言|前言|总则|简介|结论|目的|范围|主要业务|经营情况|基本情况",
    re.IGNORECASE,
)
# Sentences that say what something is or does, and those that state a result.
_SAYS_WHAT: Final = re.compile(
    r"\b(?:principal (?:business|activit)|(?:we|the company|[A-Z][\w&.,]{1,40}(?: [A-Z][\w&.,]{1,40}){0,6}) (?:is"
    r"|are|was) (?:an?|the|one of|among)\b|in this (?:paper|report|article|study|work)"
    r"|this (?:\w+ ){0,3}(?:paper|report|article|study|agreement|contract|lease|document|manual|guide"
    r"|specification|standard)|we (?:propose|present|introduce|tested|show|find|found|provide|design"
    r"|develop|offer|operate|sell)"
    r"|results (?:show|indicate|suggest)|(?:purpose|aim|goal|objective|mission|strategy) (?:of|is|was)"
    r"|is (?:used|designed|intended|responsible) (?:to|for)|consists of|leases? to|shall (?:provide"
    r"|supply|deliver))"
    r"|主要从事|主要业务|是一[家种个座]|本[文书研]|本报告|本合同|本协议|本手册|本产品|研究表明"
    r"|结果表明|提出了|目的|旨在|用于|组成|将.{2,40}出租",
    re.IGNORECASE,
)
_STATES_RESULT: Final = re.compile(
    r"\b(?:increased|decreased|grew|rose|declined|fell|reached|totaled|totalled|exceeded|shortened"
    r"|lengthened|improved|is|are|was|were)\b.{0,60}(?:%|percent|[$€£¥]\s?\d|EUR"
    r"|\d{1,20}(?:\.\d{1,20})? (?:billion|million|years|months))"
    r"|增长|下降|减少|实现|人民币|[一二三四五六七八九十\d]{1,20}(?:年|个月|元)",
)
# Risks and provisos, of which reports are full.
_HEDGED: Final = re.compile(
    r"\b(?:could|may|might) (?:be |have |not |also |materially |adversely |result|harm|affect|expose"
    r"|cause|subject|increase|reduce|fail|face|lose|differ|continue|decline)|adverse(?:ly)?\b"
    r"|\bharmed\b|^(?:if|any|although|while|certain|each of|some of|for purposes)\b|我们可能|如果",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer to a request about whole documents."""

    sources: tuple[Source, ...]
    paragraphs: tuple[str, ...]  # sentences with their marks, or a document's name before its sentences
    headings: frozenset[str]  # the paragraphs that are names of documents
    short: ShortAnswer | None  # title, kind, date and sections; of several documents, how many there are


@dataclass(frozen=True, slots=True)
class _Picked:
    """A passage, and its sentence, that represent a part of a document."""

    row: StoredPassage
    sentence: str


def summarise(
    store: Store, scope: Scope, question: str, settings: SummarySettings, mentioned: Collection[str] = ()
) -> Summary | None:
    """The summary that a question asks for; None if it asks for none, or no sentence can represent the documents.

    `mentioned`: ids of documents that the conversation was about, which "it" and "the report" refer to.
    """
    documents = documents_asked(store, scope, question, mentioned)
    if not documents:
        return None
    chinese = mainly_chinese(question)
    if len(documents) == 1:
        return _summarise_one(store, documents[0], settings, chinese=chinese)
    return _summarise_several(store, documents, settings, chinese=chinese)


def documents_asked(store: Store, scope: Scope, question: str, mentioned: Collection[str] = ()) -> list[Document]:
    """The documents to summarise; none if the question does not ask for a summary, or asks about something else."""
    target = summary_target(question)
    if target is None:
        return []
    in_scope = [one for one in store.documents(scope.owner) if scope.allows((one.owner, one.id)) and one.passages]
    documents = named_documents(target, in_scope) or []
    if len(documents) == len(in_scope) and not _ALL.search(question):
        documents = [one for one in documents if one.id in mentioned] or documents
    return documents


def key_sentences(store: Store, document: Document, count: int, settings: SummarySettings) -> list[tuple[str, int]]:
    """At most `count` sentences that represent most of a document, each with its page (from 0), in reading order."""
    rows = store.document_passages(document.owner, document.id)
    picked = _pick(store, document, rows, count, settings) if rows else []
    return [(one.sentence, one.row.passage.first_page) for one in picked]


def _summarise_one(store: Store, document: Document, settings: SummarySettings, *, chinese: bool) -> Summary | None:
    rows = store.document_passages(document.owner, document.id)
    picked = _pick(store, document, rows, settings.sentences, settings)
    if not picked:
        return None
    outline, _ = outline_of(store, document)
    profile = profile_of(document, outline, [row.passage for row in rows], settings.sections, chinese=chinese)
    # The first page comes first: title, kind and date are there.
    titled = next((row for row in rows[: settings.title_passages] if profile.title in row.passage.text), rows[0])
    known = [one.row for one in picked]
    sources = _numbered([titled, *(row for row in known if row.id != titled.id)])
    numbers = {source.passage_id: source.number for source in sources}
    paragraphs = tuple(f"{one.sentence} [{numbers[one.row.id]}]" for one in picked)
    return Summary(sources, paragraphs, frozenset(), _titled(profile, sources[0], chinese=chinese))


def _summarise_several(
    store: Store, documents: Sequence[Document], settings: SummarySettings, *, chinese: bool
) -> Summary | None:
    rows: list[StoredPassage] = []
    paragraphs: list[str] = []
    shown = documents[: settings.documents]
    for document in shown:
        first = store.document_passages(document.owner, document.id, settings.passages_of_several)
        picked = _pick(store, document, first, settings.sentences_of_several, settings)
        if picked:
            paragraphs.append(f"{document.name}:")
        for one in picked:
            rows.append(one.row)
            paragraphs.append(f"{one.sentence} [{len(rows)}]")
    if not rows:
        return None
    left = len(documents) - len(shown)
    if chinese:
        labels = ("摘录如下",) if not left else (f"以下是前 {len(shown)} 个，还有 {left} 个",)
        values = (f"{len(documents)} 个文档",)
    else:
        labels = ("what they say",) if not left else (f"the first {len(shown)} of them; {left} more are left",)
        values = (f"{len(documents)} documents",)
    headings = frozenset(f"{document.name}:" for document in shown)
    return Summary(_numbered(rows), tuple(paragraphs), headings, ShortAnswer(values, labels=labels))


def _titled(profile: Profile, source: Source, *, chinese: bool) -> ShortAnswer:
    """Title, kind and date in the first line, with the headings of the sections as a table."""
    start = max(source.text.find(profile.title), 0)
    end = start + len(profile.title) if profile.title in source.text else 0
    rows = tuple((heading, str(page + 1)) for heading, page in profile.sections)
    headers = ("页",) if chinese else ("Page",)
    return ShortAnswer(
        values=(profile.title,),
        scale="",
        labels=tuple(label for label in (profile.kind, profile.date) if label),
        formula="",
        citations=(Citation(source.number, start, end),) if end else (),
        table=TableExcerpt("目录" if chinese else "Contents", headers, rows) if len(rows) > 1 else None,
    )


def _numbered(rows: Sequence[StoredPassage]) -> tuple[Source, ...]:
    return tuple(replace(row.as_source(n, 1.0, ()), number=n) for n, row in enumerate(rows, 1))


def _pick(
    store: Store, document: Document, rows: Sequence[StoredPassage], count: int, settings: SummarySettings
) -> list[_Picked]:
    """The passages that represent most of the text, in reading order, each with its most central sentence."""
    # Long documents say what they are about at their start and under headings that announce it.
    kept = [
        row
        for n, row in enumerate(rows)
        if n < settings.first_passages or _CUE_HEADING.search(" ".join(row.passage.heading[-2:]))
    ][: settings.candidates]
    if not kept:
        return []
    if len(kept) <= settings.short_passages:
        return _pick_sentences(kept, count)
    best, weights, importance = _weigh(kept, rows[-1].passage.end, document.pages, settings)
    vectors = store.vectors_of([row.digest for row in kept])
    chosen = choose_representative(vectors, weights, importance, 2 * count, settings.candidates, settings.min_gain)
    return [_Picked(kept[n], best[n]) for n in sorted(_without_repeats(chosen, best)[:count])]


def _without_repeats(chosen: Sequence[int], sentences: Sequence[str]) -> list[int]:
    """The passages whose sentence says something that no earlier one says, and at most one about a risk."""
    kept: list[int] = []
    said: list[set[str]] = []
    hedged = 0
    for n in chosen:
        own = set(terms(sentences[n]))
        hedged += bool(_HEDGED.search(sentences[n]))
        if any(len(own & other) > 0.6 * min(len(own), len(other)) for other in said) or (
            hedged > 1 and _HEDGED.search(sentences[n])
        ):
            continue
        kept.append(n)
        said.append(own)
    return kept


def _pick_sentences(rows: Sequence[StoredPassage], count: int) -> list[_Picked]:
    """The most central sentences of a short document, in reading order, none of which repeats another.

    Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998), over terms.
    """
    frequencies = Counter(term for row in rows for term in set(terms(row.passage.text)))
    units: list[_Unit] = []
    section = 0
    for row in rows:
        text, end = row.passage.text, 0
        for at, sentence in enumerate(statements(text)):
            place = text.find(sentence, end)
            section += len(NUMBERED_HEADING.findall(text, end, max(place, end)))
            end = max(place, end)
            score = _centrality(sentence, frequencies, first=at == 0)
            units.append(_Unit(len(units), score, section, _Picked(row, sentence), frozenset(terms(sentence))))
    has_abstract = any(_ABSTRACT.search(row.passage.text) for row in rows)
    picked: list[_Unit] = []
    while len(picked) < min(count, len(units)):
        left = [unit for unit in units if unit not in picked]
        picked.append(max(left, key=lambda unit: unit.gain(picked, free_section=0 if has_abstract else None)))
    return [unit.picked for unit in sorted(picked, key=lambda unit: unit.order)]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence of a short document that may be picked."""

    order: int  # in the document
    score: float
    section: int  # counted from 0, before the first numbered heading
    picked: _Picked
    terms: frozenset[str]

    def gain(self, others: Sequence[_Unit], free_section: int | None) -> float:
        """The score, less for terms and sections already picked; `free_section` may be picked from again."""
        said = frozenset[str]().union(*(other.terms for other in others))
        again = 0 if self.section == free_section else sum(other.section == self.section for other in others)
        return self.score * (1 - len(self.terms & said) / (len(self.terms) or 1)) * SAME_SECTION**again


def _weigh(
    rows: Sequence[StoredPassage], length: int, pages: int, settings: SummarySettings
) -> tuple[list[str], Weights, Weights]:
    """The most central sentence of each passage, how much it is preferred, and how much it needs representing."""
    frequencies = Counter(term for row in rows for term in set(terms(row.passage.text)))
    reach = settings.reach_long + (1 - settings.reach_long) * max(0.0, 1 - pages / settings.long_pages)
    best: list[str] = []
    weights, importance = np.zeros(len(rows)), np.zeros(len(rows))
    for n, row in enumerate(rows):
        found = statements(row.passage.text)
        scored = [(_centrality(sentence, frequencies, first=at == 0), sentence) for at, sentence in enumerate(found)]
        score, sentence = max(scored, default=(0.0, ""))
        best.append(sentence)
        prose = sum(map(len, found)) / max(len(row.passage.text), 1)
        cued = any(_CUE_HEADING.search(heading) for heading in row.passage.heading[-2:])
        near = math.exp(-row.passage.start / max(length, 1) / reach)
        floor = settings.cue_floor if pages < settings.long_pages or 2 * row.passage.start < length else 0.0
        prior = max(near, floor) * (settings.cue_weight if floor else 1.0) if cued else near
        importance[n] = prior * (settings.table_importance + prose)
        weights[n] = prior * score if prose >= settings.min_prose else 0.0
    return best, weights, importance


def _centrality(sentence: str, frequencies: Counter[str], *, first: bool) -> float:
    """Mean log frequency of a sentence's terms, higher if it says what something is, or states a result."""
    own = set(terms(sentence))
    score = sum(math.log1p(frequencies[term]) for term in own) / (len(own) + SMOOTHING)
    for pattern, factor in ((_SAYS_WHAT, 1.6), (_STATES_RESULT, 1.25), (_HEDGED, 0.4)):
        score *= factor if pattern.search(sentence) else 1.0
    return score * (1.1 if first else 1.0) * (1.0 if len(sentence.split()) <= MAX_WORDS * 0.75 else 0.85)


# ---- passages that represent most of a document: greedy facility location over their vectors
# The chosen set maximises the sum, over all passages, of the cosine with the nearest chosen one (Lin & Bilmes, A
# Class of Submodular Functions for Document Summarization, 2011); each pick takes the candidate that adds most.


Weights = npt.NDArray[np.float64]


def choose_representative(
    vectors: Vectors, weights: Weights, importance: Weights, count: int, max_rows: int, min_gain: float
) -> list[int]:
    """Indices of at most `count` rows of `vectors` (n, d), the best first.

    `weights` (n,): how much each is preferred, 0 for rows that cannot be chosen; `importance` (n,): how much it matters
    that each is represented. With more than `max_rows` rows, an even sample has to be represented, and only the best
    rows can be chosen, so that the cost is bounded. It ends when the next row would add less than `min_gain` of what
    the first added.
    """
    n = len(vectors)
    # What all passages have in common says nothing about how they differ.
    centred = vectors - vectors.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    rows = np.linspace(0, n - 1, min(n, max_rows)).round().astype(int)
    candidates = np.flatnonzero(weights > 0)
    if len(candidates) > max_rows:
        candidates = np.sort(candidates[np.argsort(-weights[candidates], kind="stable")[:max_rows]])
    if not len(candidates):
        return []
    similarity = np.maximum(centred[candidates] @ centred[rows].T, 0.0)  # (candidates, rows)
    covered = np.zeros(len(rows))
    chosen: list[int] = []
    first_gain = 0.0
    while len(chosen) < min(count, len(candidates)):
        gains = np.maximum(similarity - covered, 0.0) @ importance[rows] * weights[candidates]
        best = int(gains.argmax())
        first_gain = first_gain or gains[best]
        if gains[best] <= min_gain * first_gain:
            break
        chosen.append(int(candidates[best]))
        covered = np.maximum(covered, similarity[best])
    return chosen
