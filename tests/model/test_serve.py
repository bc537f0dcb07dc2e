"""`python -m model.serve` through OpenAI's own client, over real HTTP and a tiny checkpoint."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import openai
import pytest
import uvicorn

from model import completions_api
from model.completions_api import CompletionRequest, completions_app
from model.load import load_reader
from model.load_settings import LoadSettings
from model.remote import RemoteReader
from model.serve import main, read_key
from model.stream import StopText
from rag.errors import SettingRefused
from rag.reader import ReadRequest, Sampling
from tests.model.reciting import recite
from tests.waiting import until

PIECES = ["The bridge ", "was opened ", "in 1931", ", in May."]
TEXT = "".join(PIECES)
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When? <|user|>"}]


@contextmanager
def served(reader, key=""):
    config = uvicorn.Config(completions_app(reader, "tiny", key), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = recite(tmp_path_factory.mktemp("model") / "tiny", PIECES)
    return load_reader(folder, LoadSettings(precision="fp32", device="cpu", context=600))


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    folder = recite(tmp_path_factory.mktemp("endless") / "tiny", ["on ", "and "], forever=True)
    return load_reader(folder, LoadSettings(precision="fp32", device="cpu", context=8_000))


@pytest.fixture(scope="module")
def url(reader):
    with served(reader) as url:
        yield url


def client_of(url, key="none"):
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60)


def asked(url, **options):
    return client_of(url).chat.completions.create(model="tiny", messages=MESSAGES, temperature=0, **options)


def test_an_answer_with_its_usage(url, reader):
    done = asked(url)
    assert (done.choices[0].message.content, done.choices[0].finish_reason) == (TEXT, "stop")
    assert done.usage.completion_tokens == len(PIECES)
    assert done.usage.prompt_tokens > 10
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens


def test_what_was_read_before_is_counted_and_shared_by_those_with_the_same_key_alone(url):
    def cached(key):
        messages = [{"role": "user", "content": "When was it? " * 20}]
        made = client_of(url).chat.completions.create(
            model="tiny", messages=messages, temperature=0, max_tokens=2, extra_body={"prompt_cache_key": key}
        )
        return made.usage.prompt_tokens_details.cached_tokens

    assert [cached("ann"), cached("ben")] == [0, 0]
    assert cached("ann") >= 128


def test_a_stream_is_the_same_answer_in_pieces(url):
    chunks = list(asked(url, stream=True, stream_options={"include_usage": True}))
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == TEXT
    assert len([text for text in texts if text]) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == len(PIECES)
    assert all(chunk.usage is None for chunk in asked(url, stream=True))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "left"), [("opened", "The bridge was "), (["1931", "was"], "The bridge "), ("x", TEXT)]
)
def test_a_stop_sequence_ends_the_answer_before_it(url, stop, left, stream):
    made = asked(url, stop=stop, stream=stream)
    text = "".join(c.choices[0].delta.content or "" for c in made) if stream else made.choices[0].message.content
    assert text == left


def test_an_answer_that_reaches_its_limit_says_so(url):
    done = asked(url, max_tokens=2)
    assert (done.choices[0].message.content, done.choices[0].finish_reason) == ("The bridge was opened", "length")
    assert done.usage.completion_tokens == 2


def test_the_page_reads_with_it_as_with_any_server(url):
    reader = RemoteReader(url, "tiny")
    assert reader.context_tokens == 600
    request = ReadRequest("When?", (), sampling=Sampling(50, 0))
    assert "".join(reader.answer(request, threading.Event())) == TEXT


def test_eight_people_are_answered_together(url):
    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(lambda _: asked(url).choices[0].message.content, range(8)))
    assert answers == [TEXT] * 8


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "the last must be the user's"),
        ({"messages": MESSAGES, "n": 2}, "n:"),
        ({"messages": MESSAGES, "temperature": 9}, "temperature"),
        ({"messages": MESSAGES, "repetition_penalty": 1e-300}, "repetition_penalty"),
        ({"messages": MESSAGES, "top_k": -2}, "top_k"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(url, body, told):
    refused = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert refused.status_code == 400
    assert told in refused.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long_is_the_clients_to_change(url, stream):
    """A 500 would be tried again, by OpenAI's client as well."""
    body = {"messages": [{"role": "user", "content": "when " * 1_000}], "stream": stream}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body)
    assert answer.status_code == (200 if stream else 400)
    fault = next(line for line in answer.text.splitlines() if "error" in line).removeprefix("data: ")
    told = json.loads(fault)["error"]
    assert told["code"] == "context_length_exceeded"
    assert told["type"] == "invalid_request_error"
    assert "a context of 600" in told["message"]


def test_what_a_client_does_not_choose_is_left_to_the_model():
    def sampling(**fields):
        return CompletionRequest.model_validate({"messages": MESSAGES, **fields}).sampling(70)

    assert sampling() == Sampling(70)
    assert sampling(temperature=0, top_k=-1, repetition_penalty=1.1, seed=4, max_tokens=5) == Sampling(
        5, 0.0, None, 4, 0, 1.1
    )


def test_only_json_is_taken_and_not_too_much_of_it(url, monkeypatch):
    assert httpx.post(f"{url}/v1/chat/completions", content="{}").status_code == 415
    monkeypatch.setattr(completions_api, "MAX_BODY", 100)
    assert httpx.post(f"{url}/v1/chat/completions", json={"x": "y" * 200}).status_code == 413


def test_one_request_too_many_is_told_to_come_again(url, monkeypatch):
    monkeypatch.setattr(completions_api, "MAX_ASKING", 0)
    refused = httpx.post(f"{url}/v1/chat/completions", json={"messages": MESSAGES})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")


def test_a_key_is_wanted_where_there_is_one(reader):
    with served(reader, "secret") as url:
        assert client_of(url, "secret").models.list().data[0].id == "tiny"
        with pytest.raises(openai.AuthenticationError):
            client_of(url, "wrong").models.list()
        assert httpx.post(f"{url}/v1/chat/completions", json={"messages": MESSAGES}).status_code == 401


def idle(reader):
    until(lambda: reader.batch.counts == (0, 0))
    return True


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_stops_for_a_client_that_has_left(endless, stream):
    body = {"messages": MESSAGES, "max_tokens": 7_000, "stream": stream, "temperature": 0}
    with served(endless) as url:
        with httpx.Client(timeout=1 if stream else 0.7) as client:
            try:
                with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
                    next(response.iter_lines())
            except httpx.ReadTimeout:
                assert not stream
        assert idle(endless)


def test_other_machines_need_a_key(tmp_path, capsys):
    with pytest.raises(SettingRefused, match="--key-file"):
        read_key("0.0.0.0", None)
    assert read_key("127.0.0.1", None) == ""
    (tmp_path / "key").write_text("secret\n")
    assert read_key("0.0.0.0", tmp_path / "key") == "secret"
    (tmp_path / "empty").write_text("")
    for name in ("empty", "missing"):
        with pytest.raises(SettingRefused, match=r"holds no key|cannot be read"):
            read_key("0.0.0.0", tmp_path / name)
    assert main(["x/y", "--host", "0.0.0.0"]) == 1
    assert "--key-file" in capsys.readouterr().err


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_stops_are_found_wherever_pieces_end(size):
    text = "aaab, abac and aabc; the end"
    for stops in (["aabc"], ["; t", "zz"], ["end", "ac"], ["zz"], []):
        stop = StopText(stops)
        pieces = [stop.feed(text[at : at + size]) for at in range(0, len(text), size)]
        cut = min((text.index(one) for one in stops if one in text), default=len(text))
        assert "".join(pieces) + stop.end() == text[:cut]
