"""A model that thinks aloud before it answers: room for it, nothing of it shown, and an error where no answer came."""

import threading

import pytest

from model.load import load_reader
from rag.errors import ReaderError
from rag.reader import ReadRequest, Sampling
from tests.model.reciting import recite

THOUGHTS = [f"{n}? " for n in range(20)]


def answer(reader, tokens=8, stop=None):
    request = ReadRequest("what?", (), sampling=Sampling(tokens, 0))
    return list(reader.answer(request, stop or threading.Event()))


def reader_of(folder, pieces, **options):
    return load_reader(recite(folder, pieces, **options), precision="fp32", device="cpu", context=400)


def test_thinking_is_left_out_and_takes_nothing_of_the_answers_length(tmp_path):
    reader = reader_of(tmp_path, [*THOUGHTS, "</think>", "A", "B", "C"], thinking=True)
    assert answer(reader, tokens=8) == ["A", "B", "C"]
    assert answer(reader, tokens=2) == ["A", "B"]


def test_room_for_thinking_is_set_aside(tmp_path):
    thinking = reader_of(tmp_path / "thinking", ["</think>"], thinking=True)
    assert (thinking.context_tokens, thinking.thinking_tokens) == (300, 100)
    other = reader_of(tmp_path / "other", ["yes"])
    assert (other.context_tokens, other.thinking_tokens) == (400, 0)


def test_thinking_that_never_ends_is_an_error_with_its_limit(tmp_path):
    reader = reader_of(tmp_path, ["Hm, ", "well, "], forever=True, thinking=True)
    with pytest.raises(ReaderError, match=r"thought aloud for 108 tokens, of 108 at most, .* choose a model") as raised:
        answer(reader, tokens=8)
    assert str(raised.value).startswith(reader.name)


def test_a_turn_that_ends_in_a_thought_is_an_error(tmp_path):
    with pytest.raises(ReaderError, match=r"thought aloud for 2 tokens, of 108 at most"):
        answer(reader_of(tmp_path, ["Hm, ", "well."], thinking=True))


def test_a_model_that_begins_to_think_by_itself(tmp_path):
    assert answer(reader_of(tmp_path / "a", ["<think>", "Hm.", "</think>", "Yes."])) == ["Yes."]
    with pytest.raises(ReaderError, match="of 8 at most"):
        answer(reader_of(tmp_path / "b", ["<think>", *THOUGHTS, "</think>", "Yes."]))


def test_stopped_while_it_thinks_it_just_ends(tmp_path, monkeypatch):
    reader, stop = reader_of(tmp_path, ["Hm, ", "well, "], forever=True, thinking=True), threading.Event()
    monkeypatch.setattr(reader.tokenizer, "token_bytes", lambda token: stop.set() or b"Hm, ")
    assert answer(reader, stop=stop) == []
    assert stop.is_set()


def test_nothing_said_without_a_thought_is_a_refusal(tmp_path):
    assert answer(reader_of(tmp_path / "a", [" "])) == []
    assert answer(reader_of(tmp_path / "b", ["Hm.", "</think>"], thinking=True)) == []
