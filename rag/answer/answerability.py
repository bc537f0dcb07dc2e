"""Question + sources -> the sentences that answer best, and whether they answer at all.

A sentence counts by the cosine of its vector with the question's and by the share of the question's terms it holds,
each term weighted by how rare it is. Cosines of one embedder mean nothing in another, nor in another language, so
they are scaled by a handful of known pairs: 0 is what unrelated sentences have, 1 what a question and its answer have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from rag.answer.sentences import split
from rag.embed.embedder import Embedder, Vectors
from rag.index.tokenize import terms
from rag.language import mainly_chinese
from rag.reader import Evidence
from rag.records import Source
from rag.settings import AnswerSettings

# A question, and a sentence that answers it without repeating its words.
PAIRS = {
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


@dataclass(frozen=True, slots=True)
class _Row:
    """A sentence that may answer."""

    source: Source
    text: str
    held: set[str]  # asked terms in it
    around: set[str]  # in it or in the sentence before


class EvidenceScorer:
    """Finds the sentences that answer, for one embedder."""

    def __init__(self, embedder: Embedder, weight: Callable[[str], float], settings: AnswerSettings) -> None:
        self._embedder, self._weight, self._settings = embedder, weight, settings
        asked = {han: embedder.queries([question for question, _ in pairs]) for han, pairs in PAIRS.items()}
        self.usual = {han: vectors.mean(axis=0) for han, vectors in asked.items()}  # what questions share, by script
        self._scale = _scales(embedder, asked)
        self._gates = {
            (False, False): settings.gate_alphabetic,
            (True, True): settings.gate_han,
            (False, True): settings.gate_alphabetic_to_han,
            (True, False): settings.gate_han_to_alphabetic,
        }

    def evidence(self, questions: Sequence[str], vectors: Vectors, sources: Sequence[Source]) -> list[Evidence]:
        """Sentences of the first sources, the best answer first; of several questions those of each take turns.

        `vectors` (questions, d). The order also takes into account how well the passage was ranked, and the sentence
        before, which often names what "it" is; the score, which tells answer from no answer, looks at the sentence.
        """
        rows = self._sentences(sources, {term for question in questions for term in terms(question)})
        if not rows:
            return []
        cosines = self._embedder.passages([row.text for row in rows], urgent=True) @ vectors.T  # (sentences, questions)
        ranked = [self._ranked(question, rows, cosines[:, n].tolist()) for n, question in enumerate(questions)]
        best: dict[tuple[int, str], Evidence] = {}
        for found in (found for turn in zip(*ranked, strict=True) for found in turn):
            known = best.setdefault((found.number, found.text), found)
            if found.score > known.score:
                best[found.number, found.text] = found
        return list(best.values())

    def _ranked(self, question: str, rows: Sequence[_Row], cosines: Sequence[float]) -> list[Evidence]:
        """The sentences as evidence for one question, the best answer first."""
        weights = {term: self._weight(term) for term in terms(question)}
        total = sum(weights.values()) or 1.0
        ranked: list[tuple[float, Evidence]] = []
        for row, cosine in zip(rows, cosines, strict=True):
            share, share_around = (
                sum(weights[term] for term in weights.keys() & part) / total for part in (row.held, row.around)
            )
            order = (
                cosine
                + self._settings.term_weight * share
                + self._settings.source_weight * row.source.score
                + self._settings.neighbour_term_weight * share_around
            )
            score = self._score(question, row.text, cosine, share)
            ranked.append((order, Evidence(row.source.number, row.text, score)))
        ranked.sort(key=lambda entry: -entry[0])
        return [found for _, found in ranked]

    def _score(self, question: str, text: str, cosine: float, share: float) -> float:
        """Closeness over its gate: 1.0 and more is an answer. Terms cannot agree across scripts."""
        scripts = mainly_chinese(question), mainly_chinese(text)
        unrelated, related = self._scale[scripts]
        close = (cosine - unrelated) / max(related - unrelated, 0.05)
        return (close + share) / self._gates[scripts]

    def _sentences(self, sources: Sequence[Source], asked: Collection[str]) -> list[_Row]:
        """The sentences of the first sources, the same one once; where they are too many, those with asked terms."""
        rows: list[_Row] = []
        seen: set[str] = set()
        for source in sources[: self._settings.evidence_sources]:
            before: set[str] = set()
            for sentence in split(source.text):
                text = sentence[: self._settings.sentence_characters]
                held = set(terms(text)).intersection(asked)
                if text not in seen and any(character.isalnum() for character in text):
                    rows.append(_Row(source, text, held, held | before))
                seen.add(text)
                before = held
        if len(rows) > self._settings.evidence_sentences:
            rows.sort(key=lambda row: -len(row.around))
        return rows[: self._settings.evidence_sentences]


def _scales(embedder: Embedder, asked: dict[bool, Vectors]) -> dict[tuple[bool, bool], tuple[float, float]]:
    """(question in Chinese?, sentence in Chinese?) -> mean cosine of unrelated and of related pairs."""
    told = {han: embedder.passages([sentence for _, sentence in pairs]) for han, pairs in PAIRS.items()}
    scales = {}
    for a, questions in asked.items():
        for b, sentences in told.items():
            cosines = questions @ sentences.T  # (8, 8): the diagonal is related
            related = np.eye(len(cosines), dtype=bool)
            scales[a, b] = float(cosines[~related].mean()), float(cosines[related].mean())
    return scales
