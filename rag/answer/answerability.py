"""Question + sources -> the sentences that may answer, best first. `doubt.py` judges whether they do.

A sentence is scored by the cosine of its embedding with the question's, and by the share of the question's terms that
it contains, weighted by IDF. Cosines of different embedders and languages are not comparable, so they are rescaled with
reference pairs: 0 is the mean cosine of unrelated sentences, 1 that of questions and their answers.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from rag.answer.phrases.fit import is_no_answer, suits
from rag.answer.phrases.kind import kind_of
from rag.answer.sentence_vectors import Place, SentenceVectors
from rag.answer.sentences import split_sentences
from rag.embed.embedder import Embeds
from rag.index.protocols import TermWeight
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.reader import Evidence
from rag.records import Source, Vectors
from rag.settings import AnswerSettings
from rag.store.sentences import StoredSentences

NOBODY: Mapping[str, str] = MappingProxyType({})
MIN_SCALE = 0.05  # smallest difference between the mean cosines of related and unrelated pairs to divide by

# Questions with answers that do not repeat their words, by whether they are Chinese.
REFERENCE_PAIRS = {
    False: (
        ("Who designed the old bridge over the river?", "The engineer Anna Keller drew the plans in 1874."),
        ("How many people work in the factory?", "About 1,200 workers are employed at the plant."),
        ("When must the rent be paid?", "Rent is due on the first day of every month."),
        ("What causes the fever?", "The illness comes from a virus that mosquitoes carry."),
        ("How much did revenue grow last year?", "Compared with the year before, sales rose by 12 percent."),
        ("What is the warranty period of the pump?", "The manufacturer guarantees the pump for 24 months."),
        ("Which language is spoken on the island?", "Most islanders speak Portuguese at home."),
        ("Why was the experiment stopped?", "The trial ended early because the cooling system failed."),
    ),
    True: (
        ("河上的老桥是谁设计的？", "工程师安娜·凯勒于1874年绘制了图纸。"),
        ("工厂有多少人工作？", "该厂雇用了大约1200名工人。"),
        ("房租什么时候必须交？", "租金应在每月的第一天支付。"),
        ("发烧是什么引起的？", "这种病由蚊子携带的病毒引起。"),
        ("去年收入增长了多少？", "与前一年相比，销售额上升了百分之十二。"),
        ("水泵的保修期是多长？", "制造商对该泵提供24个月的质保。"),
        ("岛上说什么语言？", "大多数岛民在家里说葡萄牙语。"),
        ("实验为什么停止了？", "由于冷却系统失灵，试验提前结束。"),
    ),
}


Scripts = tuple[bool, bool]  # whether the question is Chinese, and whether the sentence is


class _Scale(NamedTuple):
    """Mean cosines of the reference pairs."""

    unrelated: float
    related: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence that may answer."""

    source: Source
    text: str
    asked_terms: set[str]  # the questions' terms in it
    asked_terms_nearby: set[str]  # the same, including the sentence before it


class EvidenceScorer:
    """Finds the sentences that answer, with one embedder."""

    def __init__(self, embedder: Embeds, settings: AnswerSettings, stored: StoredSentences | None = None) -> None:
        """Embeds the reference pairs. `stored`: sentence vectors made earlier."""
        self.embedder, self._settings = embedder, settings
        self.sentence_vectors = SentenceVectors(embedder, stored)
        questions = {
            chinese: embedder.queries([question for question, _ in pairs]) for chinese, pairs in REFERENCE_PAIRS.items()
        }
        #: Mean query embedding of each script, (d,): what questions have in common whatever they ask.
        self.mean_query_vectors = {chinese: vectors.mean(axis=0) for chinese, vectors in questions.items()}
        self._scales = _measure_scales(embedder, questions)
        self._gates: dict[Scripts, float] = {
            (False, False): settings.gate_alphabetic,
            (True, True): settings.gate_han,
            (False, True): settings.gate_alphabetic_to_han,
            (True, False): settings.gate_han_to_alphabetic,
        }

    def find_evidence(
        self,
        questions: Sequence[str],
        vectors: Vectors,
        sources: Sequence[Source],
        term_weight: TermWeight,
        owners: Mapping[str, str] = NOBODY,
        stop: threading.Event | None = None,
    ) -> list[Evidence]:
        """The sentences of the first sources, best answer first; for several questions, their results are interleaved.

        `vectors`: (questions, d), unit rows; `term_weight`: the IDF of a term in the library asked; `owners`: of the
        documents, by id, "" for those not in it. The order also depends on the source's score and the sentence before,
        which often names what "it" is. The answerability judges the sentence alone, for the question it answers best.
        Raises Stopped once `stop` is set.
        """
        candidates = self._candidates(sources, {term for question in questions for term in terms(question)})
        if not candidates:
            return []
        texts = [candidate.text for candidate in candidates]
        places = [_place(candidate.source, owners) for candidate in candidates]
        cosines = self.sentence_vectors.of(places, texts, stop) @ vectors.T  # (candidates, questions)
        rankings = []
        for n, question in enumerate(questions):
            weights = {term: term_weight(term) for term in terms(question)}
            rankings.append(self._rank(question, weights, candidates, cosines[:, n].tolist()))
        merged: dict[tuple[int, str], Evidence] = {}
        for evidence in (evidence for same_rank in zip(*rankings, strict=True) for evidence in same_rank):
            known = merged.setdefault((evidence.number, evidence.text), evidence)
            if evidence.answerability > known.answerability:
                merged[evidence.number, evidence.text] = evidence
        return list(merged.values())

    def _rank(
        self, question: str, weights: Mapping[str, float], candidates: Sequence[_Candidate], cosines: Sequence[float]
    ) -> list[Evidence]:
        """The candidates as evidence for one question, whose terms have `weights`, best answer first."""
        settings, kind = self._settings, kind_of(question)
        total = sum(weights.values()) or 1.0
        ranked: list[tuple[float, Evidence]] = []
        for candidate, cosine in zip(candidates, cosines, strict=True):
            share = sum(weights[term] for term in weights.keys() & candidate.asked_terms) / total
            share_nearby = sum(weights[term] for term in weights.keys() & candidate.asked_terms_nearby) / total
            order = (
                cosine
                + settings.term_weight * share
                + settings.source_weight * candidate.source.score
                + settings.neighbour_term_weight * share_nearby
                + settings.kind_weight * suits(kind, candidate.text)
                - settings.no_answer_penalty * is_no_answer(candidate.text, question)
            )
            closeness, gate = self._closeness(question, candidate.text, cosine)
            found = Evidence(candidate.source.number, candidate.text, (closeness + share) / gate, closeness)
            ranked.append((order, found))
        ranked.sort(key=lambda entry: -entry[0])
        return [evidence for _, evidence in ranked]

    def _closeness(self, question: str, sentence: str, cosine: float) -> tuple[float, float]:
        """The rescaled cosine, and the gate for these scripts."""
        scripts = mainly_chinese(question), mainly_chinese(sentence)
        return (cosine - self._scales[scripts].unrelated) / self.unit(question, sentence), self._gates[scripts]

    def unit(self, question: str, sentence: str) -> float:
        """The difference in cosine between an answer and an unrelated sentence, for texts of these scripts."""
        scale = self._scales[mainly_chinese(question), mainly_chinese(sentence)]
        return max(scale.related - scale.unrelated, MIN_SCALE)

    def _candidates(self, sources: Sequence[Source], asked: Collection[str]) -> list[_Candidate]:
        """The different sentences of the first sources; if too many, those with most of the questions' terms."""
        candidates: list[_Candidate] = []
        seen: set[str] = set()
        for source in sources[: self._settings.evidence_sources]:
            before: set[str] = set()
            for sentence in split_sentences(source.text):
                text = sentence[: self._settings.sentence_characters]
                held = set(terms(text)).intersection(asked)
                if text not in seen and any(character.isalnum() for character in text):
                    candidates.append(_Candidate(source, text, held, held | before))
                seen.add(text)
                before = held
        if len(candidates) > self._settings.evidence_sentences:
            candidates.sort(key=lambda candidate: -len(candidate.asked_terms_nearby))
        return candidates[: self._settings.evidence_sentences]


def _place(source: Source, owners: Mapping[str, str]) -> Place:
    """Where the sentences of a source stand."""
    return Place((owners.get(source.document_id, ""), source.document_id), source.first_page, source.last_page)


def _measure_scales(embedder: Embeds, questions: dict[bool, Vectors]) -> dict[Scripts, _Scale]:
    """The mean cosines of unrelated and of related reference pairs, for each combination of scripts."""
    answers = {
        chinese: embedder.passages([answer for _, answer in pairs]) for chinese, pairs in REFERENCE_PAIRS.items()
    }
    scales: dict[Scripts, _Scale] = {}
    for question_script, question_vectors in questions.items():
        for answer_script, answer_vectors in answers.items():
            cosines = question_vectors @ answer_vectors.T  # (pairs, pairs): the diagonal is related
            related = np.eye(len(cosines), dtype=bool)
            scales[question_script, answer_script] = _Scale(
                unrelated=float(cosines[~related].mean()), related=float(cosines[related].mean())
            )
    return scales
