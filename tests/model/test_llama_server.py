"""The remote reader against llama.cpp's own server, which is also killed in the middle of an answer."""

import threading
import time

import httpx
import pytest

from model.remote import RemoteReader
from model.servers import served_models
from rag.errors import AnswerCut, ServerUnreachable
from rag.reader import ReadRequest, ReadSource, Sampling
from tests.model.llama_server import WORDS, llama_server

CONTEXT = 16_384
LONG = 12_000  # tokens of an answer, which take many seconds


def request(max_tokens):
    return ReadRequest("When?", (ReadSource(1, "a.pdf", "1", "", "In 1931."),), sampling=Sampling(max_tokens, 1.0))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with llama_server(tmp_path_factory.mktemp("llama"), CONTEXT) as (address, _):
        yield address


def test_an_answer_streams_to_its_limit_and_says_that_it_is_cut(address):
    pieces = []
    with pytest.raises(AnswerCut, match="its limit of 40 tokens"):
        pieces.extend(RemoteReader(address, "tiny").answer(request(40), threading.Event()))
    assert len(pieces) > 5
    assert set("".join(pieces).split()) <= {word.strip("▁") for word in WORDS}


def test_the_server_tells_the_context_it_holds_not_the_one_it_was_trained_for(address):
    assert RemoteReader(address, "tiny").context_tokens == CONTEXT
    assert [model.context for model in served_models(address)] == [CONTEXT]


def slot(address):
    (only,) = httpx.get(f"{address}/slots").json()
    return only


def test_the_server_stops_when_the_answer_is_stopped(address):
    stop = threading.Event()
    pieces = RemoteReader(address, "tiny").answer(request(LONG), stop)
    next(pieces)
    assert slot(address)["is_processing"]
    stop.set()
    assert list(pieces) == []
    while slot(address)["is_processing"]:
        time.sleep(0.01)
    assert slot(address)["n_prompt_tokens"] < LONG  # those of the answer are counted too


def test_what_came_before_the_server_was_killed_is_the_answer_and_is_told_as_incomplete(tmp_path):
    with llama_server(tmp_path, CONTEXT) as (address, process):
        reader = RemoteReader(address, "tiny")
        pieces = reader.answer(request(LONG), threading.Event())
        said = [next(pieces) for _ in range(5)]
        process.kill()
        with pytest.raises(
            AnswerCut, match=r"The answer is incomplete: The model server .* broke off the answer of tiny"
        ):
            said.extend(pieces)
        assert "".join(said).split()
        with pytest.raises(ServerUnreachable):
            list(reader.answer(request(10), threading.Event()))
