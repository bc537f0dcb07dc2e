from __future__ import annotations

import threading

from rag.answer.answerability import EvidenceScorer
from rag.answer.quote import QuoteReader
from rag.reader import Evidence, ReadRequest
from rag.records import Source
from rag.settings import AnswerSettings
from tests.fakes import ExactEmbedder

TEXT = "The pump was built in 1931. It weighs 12 kg. Birds nest here.\nThe valve is blue."


def judged(question: str, *texts: str, **answering) -> list[Evidence]:
    embedder = ExactEmbedder()
    sources = [
        Source(n, n, "a" * 64, "x.pdf", 0, 0, "1", (), text, 0, len(text), 1 / n) for n, text in enumerate(texts, 1)
    ]
    judge = EvidenceScorer(embedder, lambda term: 1.0, AnswerSettings(**answering))
    return judge.evidence([question], embedder.queries([question]), sources)


def test_the_sentence_that_shares_the_question_comes_first():
    found = judged("When was the pump built?", TEXT, "Other text entirely.")
    assert (found[0].number, found[0].text) == (1, "The pump was built in 1931.")
    assert found[0].score > 1.0
    assert all(later.score < 1.0 for later in found[1:])


def test_the_sentence_behind_the_subject_is_preferred_to_one_elsewhere():
    found = judged("How heavy is the pump?", "Birds nest here. " + TEXT.replace(" Birds nest here.", ""))
    order = [evidence.text for evidence in found]
    assert order.index("It weighs 12 kg.") < order.index("Birds nest here.")


def test_no_more_sentences_than_allowed_and_none_twice():
    found = judged("pump", TEXT, TEXT, TEXT, evidence_sentences=2)
    assert len(found) == 2
    assert len({evidence.text for evidence in judged("pump", TEXT, TEXT)}) == len(judged("pump", TEXT, TEXT))


def test_long_sentences_are_cut():
    (only,) = judged("pump", "pump " * 500, sentence_characters=50)
    assert len(only.text) == 50


def test_the_sentences_of_several_questions_take_turns():
    embedder = ExactEmbedder()
    sources = [Source(1, 1, "a" * 64, "x.pdf", 0, 0, "1", (), TEXT, 0, len(TEXT), 1.0)]
    asked = ["When was the pump built?", "Which valve is blue?"]
    found = EvidenceScorer(embedder, lambda term: 1.0, AnswerSettings()).evidence(
        asked, embedder.queries(asked), sources
    )
    assert [evidence.text for evidence in found[:2]] == ["The pump was built in 1931.", "The valve is blue."]
    assert min(evidence.score for evidence in found[:2]) > 1.0
    assert len(found) == 4


def test_no_source_no_evidence():
    assert judged("pump") == []
    assert judged("pump", "… — !") == []


def quoted(*evidence: Evidence, stop: bool = False) -> str:
    event = threading.Event()
    if stop:
        event.set()
    return "".join(QuoteReader().answer(ReadRequest("q", (), evidence=evidence), event))


def test_quotes_come_with_their_mark_word_for_word():
    assert quoted(Evidence(2, "A b.", 1.4), Evidence(1, "C d.", 0.9)) == "A b. [2]\n\nC d. [1]"


def test_at_most_three_and_only_near_ones():
    many = [Evidence(1, f"S{n}.", 1.2) for n in range(9)]
    assert quoted(*many).count("[1]") == 3
    assert quoted(Evidence(1, "A.", 1.2), Evidence(1, "B.", 0.1)) == "A. [1]"
    assert quoted(Evidence(1, "A.", 0.1), Evidence(1, "B.", 1.2)) == "B. [1]"


def test_nothing_near_is_a_refusal():
    assert quoted(Evidence(1, "A.", 0.99)) == ""
    assert quoted() == ""


def test_stop_ends_the_quotes():
    assert quoted(Evidence(1, "A.", 1.2), stop=True) == ""
