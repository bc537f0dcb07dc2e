from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence

import bm25s
import numpy as np
import pytest

import rag.index.bm25
import rag.index.partition
import rag.index.segments
from rag.index.bm25 import BM25Index
from rag.index.counted import CountedTerms
from rag.index.partition import MERGE_FACTOR, Partition
from rag.index.tokenize import terms
from rag.settings import Bm25Settings

DOCUMENT = ("", "manual")
VOCABULARY = [f"word{number}" for number in range(300)]


def put(index: BM25Index, ids: Iterable[int], texts: Sequence[str]) -> None:
    index.add(list(ids), CountedTerms.of(texts), [DOCUMENT] * len(texts))


def random_texts(count: int, seed: int = 0, longest: int = 40) -> list[str]:
    """Texts with word frequencies by Zipf's law; one repeats a word 700 times, one is empty."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(VOCABULARY) + 1)
    texts = [" ".join(rng.choice(VOCABULARY, rng.integers(0, longest), p=share / share.sum())) for _ in range(count)]
    return [*texts[2:], "", "word7 " * 700] if count > 2 else texts


def by_bm25s(passages: dict[int, str], question: str) -> dict[int, float]:
    """Scores above 0 that the bm25s package gives for one index over all passages."""
    numbers: dict[str, int] = {}
    rows = [[numbers.setdefault(term, len(numbers)) for term in terms(text)] for text in passages.values()]
    matrix = bm25s.BM25()
    matrix.index((rows, numbers), show_progress=False)
    scores = matrix.get_scores_from_ids([numbers[term] for term in dict.fromkeys(terms(question)) if term in numbers])
    return {one: float(score) for one, score in zip(passages, scores, strict=True) if score > 0}


def assert_agrees(index: BM25Index, passages: dict[int, str], question: str, k: int = 10_000) -> None:
    found, scores = index.search(question, k)
    expected = by_bm25s(passages, question)
    assert len(found) == len(set(found.tolist())) == min(k, len(expected))
    assert scores.tolist() == pytest.approx([expected[one] for one in found.tolist()], rel=1e-5)
    assert scores.tolist() == pytest.approx(sorted(expected.values(), reverse=True)[:k], rel=1e-5)


def test_bm25_by_hand():
    """Three passages; 'pump' is in two of them, once in five terms and twice in four; mean length 4.

    idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)); tf part = f / (f + 1.5 * (0.25 + 0.75 * length / 4)).
    """
    index = BM25Index()
    put(index, [1, 2, 3], ["pump red blue green grey", "pump pump valve seal", "oil gas coal"])
    idf = math.log(1 + 1.5 / 2.5)
    expected = {
        2: idf * 2 / (2 + 1.5 * (0.25 + 0.75 * 4 / 4)),
        1: idf * 1 / (1 + 1.5 * (0.25 + 0.75 * 5 / 4)),
    }
    found, scores = index.search("the pump", 10)
    assert found.tolist() == [2, 1]
    assert scores.tolist() == pytest.approx([expected[2], expected[1]], rel=1e-5)
    assert index.idf("pump") == pytest.approx(idf)


def test_chinese_and_codes_are_found():
    index = BM25Index()
    put(index, [1, 2, 3], ["合同编号第十二条", "the X200-B pump", "other things"])
    assert index.search("编号是多少？", 5)[0].tolist() == [1]
    assert index.search("x200-b", 5)[0].tolist() == [2]
    assert index.search("nothing of this", 5)[0].tolist() == []


def test_removed_passages_are_not_found_and_do_not_count_in_idf():
    index = BM25Index()
    put(index, [1, 2], ["red pump", "blue pump"])
    before = index.idf("red")
    index.remove([1, 99])
    assert index.search("red", 5)[0].tolist() == []
    assert index.search("pump", 5)[0].tolist() == [2]
    assert len(index) == 1
    assert index.idf("red") > before * 0.5
    index.remove([2])
    assert index.search("pump", 5)[0].tolist() == []
    assert index._partitions == {}


def test_a_passage_may_have_no_terms():
    index = BM25Index()
    put(index, [1], ["…"])
    assert index.search("pump", 5)[0].tolist() == []
    put(index, [2], ["pump"])
    assert index.search("pump", 5)[0].tolist() == [2]


QUESTIONS = ("word0 word7 word299", "word3", " ".join(VOCABULARY[:60]), "word250 nowhere")


def test_scores_equal_those_of_bm25s_after_any_additions_and_removals(monkeypatch):
    """Segments of at most 200 passages, additions of 1 to 450, removals of new, old and unknown ones in between."""
    monkeypatch.setattr(rag.index.segments, "SEGMENT_SIZE", 200)
    monkeypatch.setattr(rag.index.partition, "SEGMENT_SIZE", 200)
    monkeypatch.setattr(rag.index.bm25, "SEGMENT_SIZE", 200)
    rng, index, passages, first = np.random.default_rng(5), BM25Index(), {}, 0
    for step, count in enumerate([1, 3, 450, *rng.integers(1, 40, 60)]):
        ids = list(rng.permutation(np.arange(first, first + 2 * count))[:count].tolist())
        first += 2 * int(count)
        texts = random_texts(count, step)
        put(index, ids, texts)
        passages |= dict(zip(ids, texts, strict=True))
        if step % 5 == 3:
            gone = rng.permutation(list(passages))[: len(passages) // 3].tolist()
            index.remove([*gone, 10**9])
            passages = {one: text for one, text in passages.items() if one not in gone}
        if step % 7 == 0:
            assert_agrees(index, passages, QUESTIONS[step % len(QUESTIONS)])
    assert len(index) == len(passages)
    assert len(index._partitions[""].full) > 1
    for question in QUESTIONS:
        assert_agrees(index, passages, question)
        assert_agrees(index, passages, question, 5)


def test_an_addition_touches_only_small_segments(monkeypatch):
    """A thousand additions of 20: each passage is written five times on average, itself included."""
    monkeypatch.setattr(rag.index.bm25, "SEGMENT_SIZE", 4000)
    monkeypatch.setattr(rag.index.partition, "SEGMENT_SIZE", 4000)
    index, moved, texts = BM25Index(), [], random_texts(20)
    for first in range(0, 20_000, 20):
        before = index._partitions.get("", Partition())
        put(index, range(first, first + 20), texts)
        after, old = index._partitions[""], {id(segment) for segment in before.segments}
        moved.append(sum(segment.count for segment in after.segments if id(segment) not in old))
        assert len(after.still_open) <= 3 * MERGE_FACTOR
    assert len(index._partitions[""].full) <= 2 * 20_000 / 4000
    assert max(moved) <= 4020
    assert sum(moved) <= 20_000 * 5


def test_an_id_added_again_is_replaced():
    index = BM25Index()
    put(index, [1, 2], ["red pump", "blue pump"])
    put(index, [2], ["green valve"])
    assert len(index) == 2
    assert index.search("blue", 5)[0].tolist() == []
    assert index.search("valve", 5)[0].tolist() == [2]
    assert_agrees(index, {1: "red pump", 2: "green valve"}, "pump valve red")


def test_of_equal_scores_the_lower_id_comes_first(monkeypatch):
    monkeypatch.setattr(rag.index.bm25, "SEGMENT_SIZE", 4)
    monkeypatch.setattr(rag.index.partition, "SEGMENT_SIZE", 4)
    index = BM25Index()
    for one in (9, 3, 7, 1, 8, 2, 6, 5, 4):
        put(index, [one], ["pump"])
    assert index.search("pump", 4)[0].tolist() == [1, 2, 3, 4]


def test_ids_and_texts_must_have_the_same_length():
    with pytest.raises(ValueError, match="2 ids for 1 texts and 2 documents"):
        BM25Index().add([1, 2], CountedTerms.of(["pump"]), [DOCUMENT, DOCUMENT])


def test_a_passage_is_found_throughout_while_others_are_added_and_removed():
    """Every addition brings new terms, and searches ask for terms that are just about to be added."""
    index, done = BM25Index(), threading.Event()
    news = [f"new{number}" for number in range(3000)]
    put(index, [0], ["lighthouse"])

    def change():
        for first in range(1, 3000, 100):
            put(index, range(first, first + 100), [f"word0 {one}" for one in news[first - 1 : first + 99]])
            index.remove(range(first, first + 50))
        done.set()

    other = threading.Thread(target=change)
    other.start()
    while not done.is_set():
        at = 2 * len(index)
        assert index.search(" ".join(["lighthouse", *news[at : at + 200]]), 5000)[0].tolist().count(0) == 1
        assert index.idf(news[min(at + 50, 2999)]) > 0
    other.join()
    assert len(index) == 1501


def test_a_search_may_ask_for_terms_of_passages_that_are_being_added(monkeypatch):
    """A search runs after the new terms have got their ids and before their segment is built."""
    index, seen = BM25Index(), []
    put(index, [1], ["pump"])
    made = rag.index.bm25.build_segment

    def search_while_building(*passages):
        seen.append(index.search("pump fresh2999", 5)[0].tolist())
        seen.append(index.idf("fresh2999") > index.idf("pump"))
        return made(*passages)

    monkeypatch.setattr(rag.index.bm25, "build_segment", search_while_building)
    put(index, [2], [" ".join(f"fresh{number}" for number in range(3000))])
    assert seen == [[1], True]
    assert index.search("fresh2999", 5)[0].tolist() == [2]


def test_k1_says_how_much_repeats_count_and_b_how_much_length_does():
    texts = ["pump", "pump pump pump pump", "pump of a very long passage about other things that go on and on here"]

    def scores(**settings):
        index = BM25Index(Bm25Settings(**settings))
        index.add([1, 2, 3], CountedTerms.of(texts), [DOCUMENT] * 3)
        ids, found = index.search("pump", 3)
        return dict(zip(ids.tolist(), found.tolist(), strict=True))

    binary, saturated, linear = scores(k1=0.0), scores(k1=1.5, b=0.0), scores(k1=100.0, b=0.0)
    assert binary[1] == pytest.approx(binary[2]) == pytest.approx(binary[3])
    assert 1 < saturated[2] / saturated[1] < 2.5 < linear[2] / linear[1] < 4
    assert saturated[1] == pytest.approx(saturated[3])
    assert scores(b=1.0)[3] < scores(b=0.5)[3] < scores(b=0.0)[3]
