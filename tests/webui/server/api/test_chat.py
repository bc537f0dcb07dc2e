"""OpenAI's chat completions, spoken to by the official client."""

import json

import httpx
import openai
import pytest

from rag.errors import ReaderError
from rag.messages import Message
from rag.records import Choice
from webui.server.api.chat import bare_text

QUESTION = [{"role": "user", "content": "Did revenue grow?"}]


@pytest.fixture
def client(engine, url):
    engine.library = engine.library[:1]
    made = openai.OpenAI(base_url=f"{url}/v1", api_key="not needed here", max_retries=0, timeout=60)
    yield made
    made.close()


def test_an_answer_carries_its_citations(client):
    done = client.chat.completions.create(model="ask-your-pdfs", messages=QUESTION)
    message = done.choices[0].message
    assert message.content == "Revenue grew.[1] Costs fell.[1]\n\n[1] shared.pdf, p. 5"
    (cited,) = message.citations
    assert (cited["document"], cited["page"]) == ("shared.pdf", 5)
    assert cited["quote"] == "Revenue for the year grew to 4,218 million euros."
    assert done.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("is_model", [False, True])
def test_a_streamed_answer_is_the_same_and_its_last_chunk_has_the_citations(engine, client, is_model):
    engine.writes_markdown = is_model
    whole = client.chat.completions.create(model="x", messages=QUESTION).choices[0].message
    chunks = list(client.chat.completions.create(model="x", messages=QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.content
    assert chunks[-1].citations == whole.citations
    assert chunks[-1].choices[0].finish_reason == "stop"
    if is_model:  # sentence by sentence
        assert [chunk.choices[0].delta.content for chunk in chunks[:2]] == ["", "Revenue grew.[1]"]


def test_the_messages_before_are_the_history_without_marks_and_sources(engine, client):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Revenue in 2022?"},
        {"role": "assistant", "content": "4 million [1]. It grew [2][3].\n\n[1] a.pdf, p. 5\n[2] b.pdf, p. iv, 7"},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "2023?"}]},
    ]
    client.chat.completions.create(model="x", messages=messages, temperature=0.5, max_tokens=5)
    _, question, scope, history = engine.asked[0]
    assert (question, scope) == ("And\n2023?", None)
    assert [(turn.question, turn.answer) for turn in history] == [("Revenue in 2022?", "4 million. It grew.")]


def test_a_line_in_brackets_within_an_answer_stays():
    assert bare_text("[sic] so\nit says") == "[sic] so\nit says"
    assert bare_text("[1] a.pdf, p. 1") == ""


def test_documents_are_chosen_with_a_field_of_our_own(engine, client):
    wanted = engine.library[0].id
    client.chat.completions.create(model="x", messages=QUESTION, extra_body={"documents": [wanted]})
    assert engine.asked[0][2] == (wanted,)


def test_there_is_one_model(client):
    assert [model.id for model in client.models.list()] == ["ask-your-pdfs"]
    assert client.models.retrieve("ask-your-pdfs").owned_by == "ask-your-pdfs"
    with pytest.raises(openai.NotFoundError, match="only model"):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([{"role": "assistant", "content": "Hello."}], "last message"),
        ([{"role": "user", "content": 5}], "messages.0.content"),
        ([{"role": "root", "content": "x"}], "messages.0.role"),
    ],
)
def test_what_is_no_conversation_is_refused(client, messages, field):
    with pytest.raises(openai.UnprocessableEntityError, match=field):
        client.chat.completions.create(model="x", messages=messages)


def test_an_error_is_told_before_and_within_a_stream(engine, client):
    engine.error = ReaderError("The model failed.")
    with pytest.raises(openai.InternalServerError, match=r"The model failed\."):
        client.chat.completions.create(model="x", messages=QUESTION)
    with pytest.raises(openai.APIError, match=r"The model failed\."):
        list(client.chat.completions.create(model="x", messages=QUESTION, stream=True))


def test_with_logins_the_key_is_the_token(people):
    token = people.tokens.create("ann")
    with openai.OpenAI(base_url=f"{people.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError, match="valid API token"):
            client.chat.completions.create(model="x", messages=QUESTION)
        client.with_options(api_key=token).chat.completions.create(model="x", messages=QUESTION)
    assert [asked[0] for asked in people.engine.asked] == ["ann"]


def test_a_stream_ends_as_the_protocol_says(client):
    url = str(client.base_url.join("chat/completions"))
    answer = httpx.post(url, json={"messages": QUESTION, "stream": True})
    lines = [line for line in answer.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert {json.loads(line[6:])["object"] for line in lines[:-1]} == {"chat.completion.chunk"}


def test_no_model_is_named_but_the_one_there_is(engine, client):
    engine.picked = (Choice("reader", "GLM-4 · secret-host:8000", Message("x")),)
    done = client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert done.model == "ask-your-pdfs"
