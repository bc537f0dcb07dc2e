from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from rag.answer.answerability import REFERENCE_PAIRS, EvidenceScorer
from rag.answer.quote import QuoteReader
from rag.language import mainly_chinese
from rag.reader import Evidence, ReadRequest
from rag.records import Source
from rag.settings import AnswerSettings
from tests.fakes import ExactEmbedder

TEXT = "The pump was built in 1931. It weighs 12 kg. Birds nest here.\nThe valve is blue."


def alike(term: str) -> float:
    """All terms weigh the same."""
    return 1.0


def source(number: int, text: str, score: float = 1.0) -> Source:
    return Source(number, number, "a" * 64, "x.pdf", 0, 0, "1", (), text, 0, len(text), score)


def evidence(question: str, *texts: str, **settings) -> list[Evidence]:
    embedder = ExactEmbedder()
    sources = [source(n, text, 1 / n) for n, text in enumerate(texts, 1)]
    scorer = EvidenceScorer(embedder, AnswerSettings(**settings))
    return scorer.find_evidence([question], embedder.queries([question]), sources, alike)


def test_the_sentence_that_shares_the_question_comes_first():
    found = evidence("When was the pump built?", TEXT, "Other text entirely.")
    assert (found[0].number, found[0].text) == (1, "The pump was built in 1931.")
    assert found[0].answerability > 1.0
    assert all(later.answerability < 1.0 for later in found[1:])


def test_the_sentence_after_the_subject_is_preferred_to_one_elsewhere():
    found = evidence("How heavy is the pump?", "Birds nest here. " + TEXT.replace(" Birds nest here.", ""))
    order = [found.text for found in found]
    assert order.index("It weighs 12 kg.") < order.index("Birds nest here.")


def test_of_equally_near_sentences_the_one_of_the_better_source_comes_first():
    embedder = ExactEmbedder()
    scorer = EvidenceScorer(embedder, AnswerSettings())
    sources = [source(1, "The pump is red.", 0.5), source(2, "The pump is old.", 1.5), source(3, "The pump is new.")]
    found = scorer.find_evidence(["Which pump?"], embedder.queries(["Which pump?"]), sources, alike)
    assert [evidence.number for evidence in found] == [2, 3, 1]


def test_of_equally_near_sentences_the_one_with_the_rarer_term_comes_first():
    embedder = ExactEmbedder()
    scorer = EvidenceScorer(embedder, AnswerSettings())
    question = ["pump bracket"]
    found = scorer.find_evidence(
        question,
        embedder.queries(question),
        [source(1, "Red pump."), source(2, "Red bracket.")],
        {"pump": 1.0, "bracket": 5.0}.__getitem__,
    )
    assert [evidence.number for evidence in found] == [2, 1]
    assert found[0].answerability > found[1].answerability


class PairEmbedder:
    """The cosine of a reference question is 1 with its own answer and 0 with others; other texts are at 0.5."""

    def __init__(self) -> None:
        self.urgent: list[bool] = []

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        asked = [question for pairs in REFERENCE_PAIRS.values() for question, _ in pairs]
        return np.array([np.eye(16)[asked.index(text)] if text in asked else np.eye(16)[0] for text in texts])

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: object = None) -> np.ndarray:
        self.urgent.append(urgent)
        answers = [answer for pairs in REFERENCE_PAIRS.values() for _, answer in pairs]
        return np.array([np.eye(16)[answers.index(text)] if text in answers else np.full(16, 0.5) for text in texts])


def test_closeness_is_0_for_unrelated_reference_pairs_and_1_for_related_ones():
    embedder = PairEmbedder()
    scorer = EvidenceScorer(embedder, AnswerSettings(gate_alphabetic=1.0))
    (found,) = scorer.find_evidence(["Why?"], embedder.queries(["Why?"]), [source(1, "It is so.")], alike)
    assert found.answerability == pytest.approx(0.5)


def test_sentences_are_embedded_before_passages_that_wait():
    embedder = PairEmbedder()
    scorer = EvidenceScorer(embedder, AnswerSettings())
    scorer.find_evidence(["Why?"], embedder.queries(["Why?"]), [source(1, "It is so.")], alike)
    assert embedder.urgent[-1] is True


COSINES = {(False, False): 0.2, (False, True): 0.4, (True, False): 0.6, (True, True): 0.8}  # (question, sentence)


class ScriptEmbedder:
    """Its cosines depend on the scripts alone; only a sentence with "new" or "新" is nearer by 0.01."""

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[[int(mainly_chinese(text)) for text in texts]]

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: object = None) -> np.ndarray:
        nearer = [0.01 * ("new" in text or "新" in text) for text in texts]
        rows = [
            [COSINES[asked, mainly_chinese(text)] + more for asked in (False, True)]
            for text, more in zip(texts, nearer, strict=True)
        ]
        return np.array(rows, np.float32)


def test_a_sentence_with_the_term_comes_before_one_that_only_follows_it():
    embedder = ScriptEmbedder()
    scorer = EvidenceScorer(embedder, AnswerSettings())
    sources = [source(1, "A pump! It stays."), source(2, "The pump stands.")]
    found = scorer.find_evidence(["Which pump?"], embedder.queries(["Which pump?"]), sources, alike)
    assert [evidence.text for evidence in found] == ["A pump!", "The pump stands.", "It stays."]


@pytest.mark.parametrize(
    ("question", "sentence", "gate"),
    [
        pytest.param("Why?", "It is new.", 1.0, id="English asked of English"),
        pytest.param("Why?", "它是新的。", 2.0, id="English asked of Chinese"),
        pytest.param("为何", "It is new.", 3.0, id="Chinese asked of English"),
        pytest.param("为何", "它是新的。", 4.0, id="Chinese asked of Chinese"),
    ],
)
def test_each_combination_of_scripts_has_its_own_scale_and_gate(question, sentence, gate):
    """A cosine 0.01 above all reference pairs of its scripts is 0.01 / 0.05 close, over the gate of its scripts."""
    embedder = ScriptEmbedder()
    settings = AnswerSettings(gate_alphabetic=1.0, gate_alphabetic_to_han=2.0, gate_han_to_alphabetic=3.0, gate_han=4.0)
    scorer = EvidenceScorer(embedder, settings)
    (found,) = scorer.find_evidence([question], embedder.queries([question]), [source(1, sentence)], alike)
    assert found.answerability == pytest.approx(0.2 / gate, rel=2e-2)  # vectors are in half precision


def test_there_are_no_more_sentences_than_allowed_and_none_twice():
    found = evidence("pump", TEXT, TEXT, TEXT, evidence_sentences=2)
    assert len(found) == 2
    texts = [found.text for found in evidence("pump", TEXT, TEXT)]
    assert len(set(texts)) == len(texts) == 4


def test_too_many_sentences_leave_those_that_share_the_question():
    (found,) = evidence("When was the valve painted blue?", TEXT, evidence_sentences=1)
    assert found.text == "The valve is blue."


def test_only_the_first_sources_are_looked_at():
    assert {found.number for found in evidence("pump", "A pump.", "B pump.", "C pump.", evidence_sources=2)} == {1, 2}


def test_long_sentences_are_cut():
    (only,) = evidence("pump", "pump " * 500, sentence_characters=50)
    assert len(only.text) == 50


def test_the_results_of_several_questions_are_interleaved():
    embedder = ExactEmbedder()
    asked = ["When was the pump built?", "Which valve is blue?"]
    scorer = EvidenceScorer(embedder, AnswerSettings())
    found = scorer.find_evidence(asked, embedder.queries(asked), [source(1, TEXT)], alike)
    assert [evidence.text for evidence in found[:2]] == ["The pump was built in 1931.", "The valve is blue."]
    assert min(evidence.answerability for evidence in found[:2]) > 1.0
    assert len(found) == 4


def test_a_sentence_is_judged_for_the_question_it_answers_best():
    embedder = ExactEmbedder()
    asked = ["Which valve?", "When was the pump built?"]
    scorer = EvidenceScorer(embedder, AnswerSettings())
    (found,) = scorer.find_evidence(asked, embedder.queries(asked), [source(1, "The pump was built in 1931.")], alike)
    assert found.answerability > 1.0


def test_without_sentences_there_is_no_evidence():
    assert evidence("pump") == []
    assert evidence("pump", "… — !") == []


def quoted(*evidence: Evidence, stop: bool = False) -> str:
    event = threading.Event()
    if stop:
        event.set()
    return "".join(QuoteReader().answer(ReadRequest("q", (), evidence=evidence), event))


def test_sentences_are_quoted_word_for_word_with_their_mark():
    assert quoted(Evidence(2, "A b.", 1.4), Evidence(1, "C d.", 0.9)) == "A b. [2]\n\nC d. [1]"


def test_without_evidence_nothing_is_quoted():
    assert quoted() == ""


def test_stop_ends_the_answer():
    assert quoted(Evidence(1, "A.", 1.2), stop=True) == ""
