"""What is counted of questions, and what is never logged of them or of documents."""

import json
import logging

import pytest
from prometheus_client import generate_latest

from rag import logs
from rag.activity import Activity
from rag.errors import QuestionRefused, ReaderError, TooManyWaiting
from rag.reader import PromptCacheUsage
from rag.records import Answer, AnswerState, Found
from tests.rag.engines import add, ask, done
from tests.rag.pdfs import text_pdf
from tests.waiting import until

FOUND = Found((), "?")


def counted(activity):
    lines = generate_latest(activity.registry).decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("ask_questions_total"))
    return {name.split('"')[1]: int(float(value)) for name, value in values.items() if float(value)}


def answered(*events, error=None):
    yield from events
    if error:
        raise error


@pytest.mark.parametrize(
    ("events", "error", "outcome"),
    [
        ((FOUND, Answer((), "")), None, "answered"),
        ((FOUND, Answer((), "", AnswerState.CLOSEST)), None, "closest"),
        ((FOUND, Answer((), "", AnswerState.NONE)), None, "not_in_documents"),
        ((FOUND, Answer((), "", stopped=True)), None, "stopped"),
        ((FOUND,), QuestionRefused("It is too long."), "refused"),
        ((), TooManyWaiting("Try again."), "refused"),
        ((FOUND,), ReaderError("It broke."), "failed"),
        ((), KeyError("secret"), "failed"),
    ],
)
def test_a_question_is_counted_by_how_it_ends(events, error, outcome):
    activity = Activity()
    try:
        assert tuple(activity.answering(answered(*events, error=error))) == events
    except type(error or AssertionError()):
        assert error
    assert counted(activity) == {outcome: 1}
    assert "ask_questions_in_progress 0.0" in generate_latest(activity.registry).decode()


def test_the_prompt_cache_of_the_model_in_use_is_counted():
    used = [None, PromptCacheUsage(1_000, 2_000, 300, 700)]
    activity = Activity(lambda: used[-1])
    lines = generate_latest(activity.registry).decode().splitlines()
    assert "ask_prompt_cache_bytes 1000.0" in lines
    assert "ask_prompt_cache_limit_bytes 2000.0" in lines
    assert 'ask_prompt_tokens_total{from="read"} 300.0' in lines
    assert 'ask_prompt_tokens_total{from="cache"} 700.0' in lines
    used.pop()
    assert "ask_prompt_cache_bytes 0.0" in generate_latest(activity.registry).decode()


def test_a_question_whose_asker_leaves_is_counted_as_stopped():
    activity = Activity()
    answering = activity.answering(answered(FOUND, Answer((), "")))
    next(answering)
    assert "ask_questions_in_progress 1.0" in generate_latest(activity.registry).decode()
    answering.close()
    assert counted(activity) == {"stopped": 1}


WORDS = ("Quillfeather", "Brackenmoor", "Osterholm")
TEXT = f"The {WORDS[0]} pump was built in 1931 in {WORDS[1]}. It weighs 12 kg."


def logged(caplog, form, *, level="info"):
    """What the program would have written, in one string."""
    formatter = (logs.JsonFormatter if form == "json" else logs.TextFormatter)(with_values=level == "debug")
    least = logging.DEBUG if level == "debug" else logging.INFO
    return "\n".join(formatter.format(record) for record in caplog.records if record.levelno >= least)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_word_of_a_document_a_question_an_answer_or_a_name_is_logged(make, caplog, form, monkeypatch):
    caplog.set_level(logging.DEBUG)
    engine = make()
    add(engine, (f"{WORDS[2]}.pdf", text_pdf([TEXT])))
    add(engine, (f"{WORDS[2]}-cut.pdf", text_pdf([TEXT])[:300]))
    _, written, _ = ask(engine, f"When was the {WORDS[0]} pump built?")
    assert "1931" in written

    def broken(*_, **__):
        raise KeyError(TEXT)

    monkeypatch.setattr("rag.ingest.preparing.chunk_document", broken)
    add(engine, (f"{WORDS[2]}-3.pdf", text_pdf([TEXT, TEXT])))
    engine.remove("", engine.documents("")[0].id)
    told = logged(caplog, form)
    assert "KeyError" in told  # what broke, and where
    assert "chunk_document" in told
    for what in ("queued", "added, 1 pages", "refused", "answered after"):
        assert what in told
    for word in (*WORDS, "1931", "pump"):
        assert word.lower() not in told.lower(), word


def test_a_file_and_a_question_are_logged_under_the_request_that_brought_them(make, caplog):
    caplog.set_level(logging.INFO)
    seen: list[tuple[str, str]] = []

    class Kept(logging.Handler):
        def emit(self, record):
            seen.append((logs.current_request(), record.getMessage()))

    handler = Kept()
    logging.getLogger("rag").addHandler(handler)
    try:
        engine = make()
        with logs.in_request("first"):
            engine.add("", "a.pdf", text_pdf([TEXT]))
        until(lambda: done(engine) and engine.documents(""))
        answering = logs.steps_in_request("second", engine.ask("", "When was the pump built?"))
        for _ in iter(lambda: next(answering, None), None):
            assert logs.current_request() == ""  # nothing is left behind between two steps
        until(lambda: any("after" in said for _, said in seen))
    finally:
        logging.getLogger("rag").removeHandler(handler)
    begun = {" ".join(said.split()[::2][:2]).rstrip(",:"): request for request, said in seen}
    assert begun["Document queued"] == begun["Document added"] == "first"
    assert {request for request, said in seen if said.startswith("Question: answered")} == {"second"}


def record(error=None, message="It is %s", *values):
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("rag.x", logging.WARNING, "x.py", 1, message, values or ("so",), info)


def raised(error, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_json_lines_have_their_fields_and_stay_one_line():
    formatter = logs.JsonFormatter(with_values=False)
    with logs.in_request("r1"):
        line = formatter.format(record(raised(KeyError("se\ncret")), "It is\n%s"))
    assert "\n" not in line
    made = json.loads(line)
    assert made["time"].endswith("+00:00")
    assert (made["level"], made["logger"], made["request"]) == ("warning", "rag.x", "r1")
    assert "KeyError" in made["exception"]
    assert "cret" not in made["exception"]
    assert "request" not in json.loads(formatter.format(record()))


def test_a_traceback_tells_values_at_the_level_debug_alone():
    broken = record(raised(KeyError("secret"), raised(ValueError("hidden"))))
    quiet = logs.TextFormatter(with_values=False).format(broken)
    assert "KeyError" in quiet
    assert "ValueError" in quiet
    assert "test_activity.py" in quiet
    assert "secret" not in quiet
    assert "hidden" not in quiet
    assert "secret" in logs.TextFormatter(with_values=True).format(broken)


def test_errors_of_the_system_keep_their_reason():
    full = raised(OSError(28, "No space left on device"))
    assert "No space left on device" in logs.trace_without_values(full)


def test_a_request_id_is_taken_over_only_if_it_looks_like_one():
    assert logs.request_id("abc-1") == "abc-1"
    for odd in ("", "a b", "a\nb", "x" * 65, "é"):
        assert logs.request_id(odd) != odd
