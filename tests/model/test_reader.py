"""A model that reasons before it answers: it gets room for that, shows none of it, and fails if no answer comes."""

import threading
from dataclasses import replace

import pytest

from model.load import load_reader
from model.load_settings import LoadSettings
from model.remote import RemoteReader
from rag.answer.quote import QuoteReader
from rag.errors import AnswerCut, ReaderError
from rag.reader import ReadRequest, Sampling
from tests.model.cut import until_cut
from tests.model.reciting import recite

THOUGHTS = [f"{n}? " for n in range(20)]


def answer(reader, tokens=8, stop=None):
    request = ReadRequest("what?", (), sampling=Sampling(tokens, 0))
    return until_cut(reader.answer(request, stop or threading.Event()))


def reader_of(folder, pieces, **options):
    return load_reader(recite(folder, pieces, **options), LoadSettings(precision="fp32", device="cpu", context=400))


def test_every_reader_says_what_the_protocol_asks(tmp_path):
    glm, remote, quote = reader_of(tmp_path, ["yes"]), RemoteReader("http://localhost:8000", "m"), QuoteReader()
    for reader in (glm, remote, quote):
        assert isinstance(reader.name, str)
        assert isinstance(reader.context_tokens, int)
        assert reader.context_tokens >= reader.count_tokens("a b c") > 0
    assert [reader.quotes_evidence for reader in (glm, remote, quote)] == [False, False, True]
    assert [reader.writes_markdown for reader in (glm, remote, quote)] == [True, True, False]


def test_reasoning_is_removed_and_does_not_count_as_answer(tmp_path):
    reader = reader_of(tmp_path, [*THOUGHTS, "</think>", "A", "B", "C"], reasoning=True)
    assert answer(reader, tokens=8) == ["A", "B", "C"]
    assert answer(reader, tokens=2) == ["A", "B"]


def test_an_answer_that_reaches_its_limit_is_told_as_incomplete(tmp_path):
    reader = reader_of(tmp_path, ["A", "B", "C"])
    request = ReadRequest("?", (), sampling=Sampling(2, 0))
    with pytest.raises(AnswerCut, match="its limit of 2 tokens"):
        list(reader.answer(request, threading.Event()))
    assert list(reader.answer(replace(request, sampling=Sampling(3, 0)), threading.Event())) == ["A", "B", "C"]


def test_part_of_the_context_is_reserved_for_reasoning(tmp_path):
    reasoning = reader_of(tmp_path / "reasoning", ["</think>"], reasoning=True)
    assert (reasoning.context_tokens, reasoning.reasoning_tokens) == (300, 100)
    other = reader_of(tmp_path / "other", ["yes"])
    assert (other.context_tokens, other.reasoning_tokens) == (400, 0)


def test_endless_reasoning_is_an_error_with_its_limit(tmp_path):
    reader = reader_of(tmp_path, ["Hm, ", "well, "], forever=True, reasoning=True)
    with pytest.raises(ReaderError, match=r"reasoned for 108 of at most 108 tokens .* choose a model") as raised:
        answer(reader, tokens=8)
    assert str(raised.value).startswith(reader.name)


def test_an_answer_that_ends_while_reasoning_is_an_error(tmp_path):
    with pytest.raises(ReaderError, match=r"reasoned for 2 of at most 108 tokens"):
        answer(reader_of(tmp_path, ["Hm, ", "well."], reasoning=True))


def test_a_model_may_start_to_reason_by_itself(tmp_path):
    assert answer(reader_of(tmp_path / "a", ["<think>", "Hm.", "</think>", "Yes."])) == ["Yes."]
    with pytest.raises(ReaderError, match="of at most 8 tokens"):
        answer(reader_of(tmp_path / "b", ["<think>", *THOUGHTS, "</think>", "Yes."]))


def test_stopping_while_it_reasons_ends_the_answer_without_an_error(tmp_path, monkeypatch):
    reader, stop = reader_of(tmp_path, ["Hm, ", "well, "], forever=True, reasoning=True), threading.Event()
    monkeypatch.setattr(reader.tokenizer, "token_bytes", lambda token: stop.set() or b"Hm, ")
    assert answer(reader, stop=stop) == []
    assert stop.is_set()


def test_an_empty_answer_is_a_refusal(tmp_path):
    assert answer(reader_of(tmp_path / "a", [" "])) == []
    assert answer(reader_of(tmp_path / "b", ["Hm.", "</think>"], reasoning=True)) == []
