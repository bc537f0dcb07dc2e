import threading

import pytest

from rag.errors import QuestionRefused
from rag.messages import Message
from rag.records import Answer, Job, JobState, Reading, Sentence
from tests.webui.fake_engine import FakeEngine, document
from webui.actions.turns import change_turn
from webui.conversation import Exchange
from webui.server.sessions import Sessions
from webui.session import NOTHING_READ, NOTHING_TO_ASK, SHOWN_TURNS, Asking, Session
from webui.views.answers import conversation_html


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [document("a.pdf"), document("b.pdf")]
    engine.answer = [("Sales rose.", (1,)), ("Costs fell.", (1,))]
    return engine


def finish(steps):
    for _ in steps:
        pass


def reading(name, state=JobState.READING, document_id="?"):
    return Job(1, "", document_id, name, state)


def test_a_question_asked_while_files_are_read_names_those_it_could_not_search(engine):
    done = engine.library[0].id
    engine.running = [
        reading("long.pdf"), reading("next.pdf", JobState.WAITING), reading("bad.pdf", JobState.FAILED),
        reading("locked.pdf", JobState.LOCKED), reading("a.pdf", JobState.OCR, done),
    ]  # fmt: skip
    session = Session("", "en")
    finish(session.ask(engine, Asking("How much?")))
    assert session.conversation.exchanges[-1].unread == ("long.pdf", "next.pdf")
    assert "still being read: long.pdf, next.pdf<" in conversation_html(session)
    finish(session.ask(engine, Asking("How much?", only=done)))
    assert "Not searched" not in conversation_html(session)
    engine.running = []
    finish(session.ask(engine, Asking("How much?")))
    assert "Not searched" not in conversation_html(session)


def test_a_question_asked_while_the_first_file_is_read_is_told_so(engine):
    engine.library, engine.running = [], [reading("first.pdf", JobState.EMBEDDING)]
    session = Session("", "en")
    finish(session.ask(engine, Asking("How much?")))
    assert session.conversation.exchanges[-1].error == NOTHING_READ
    engine.running = [reading("first.pdf", JobState.FAILED)]
    finish(session.ask(engine, Asking("How much?")))
    assert session.conversation.exchanges[-1].error == NOTHING_TO_ASK


def test_sources_come_before_the_first_words_and_those_before_the_answer(engine):
    session = Session("", "en")
    states = []
    for _ in session.ask(engine, Asking("How much?")):
        last = session.conversation.exchanges[-1]
        states.append((bool(last.sources), bool(last.text), last.answer is not None))
    assert states[0] == (False, False, False)
    assert states[1] == (True, False, False)
    assert states[-1] == (True, True, True)
    assert states == sorted(states)


def test_a_question_that_waits_shows_its_place_in_the_persons_language(engine):
    engine.places = (3, 1)
    for language, third, first in (
        ("en", "Waiting: 2 ahead of you…", "Waiting: your question is next…"),
        ("zh", "排队中：前面还有 2 个问题…", "排队中：下一个就是你的问题…"),
    ):
        session, shown = Session("", language), []
        for _ in session.ask(engine, Asking("How much?")):
            shown.append(conversation_html(session))
        assert [third in html for html in shown].index(True) < [first in html for html in shown].index(True)
        assert third not in shown[-1]
        assert first not in shown[-1]


def test_sentences_are_checked_before_the_answer_is_complete(engine):
    session, seen = Session("", "en"), []
    for _ in session.ask(engine, Asking("How much?")):
        last = session.conversation.exchanges[-1]
        seen.append((len(last.checked), last.answer is not None))
    assert (1, False) in seen
    assert seen[-1] == (0, True)


def test_all_documents_are_asked_as_none_and_a_choice_as_ids(engine):
    session = Session("", "en")
    finish(session.ask(engine, Asking("one")))
    session.conversation.left_out.add(engine.library[0].id)
    finish(session.ask(engine, Asking("two")))
    assert [asked[2] for asked in engine.asked] == [None, (engine.library[1].id,)]


def test_earlier_turns_go_along_without_marks(engine):
    session = Session("", "en")
    finish(session.ask(engine, Asking("one")))
    finish(session.ask(engine, Asking("two")))
    (turn,) = engine.asked[1][3]
    assert (turn.question, turn.answer) == ("one", "Sales rose. Costs fell.")


def test_without_a_document_the_engine_is_not_asked(engine):
    session = Session("", "en")
    session.conversation.left_out = {found.id for found in engine.library}
    finish(session.ask(engine, Asking("one")))
    assert "No document is ticked" in str(session.conversation.exchanges[-1].error)
    engine.library = []
    finish(session.ask(engine, Asking("two")))
    assert "Add a document" in str(session.conversation.exchanges[-1].error)
    assert engine.asked == []


def test_small_talk_needs_no_document(engine):
    session = Session("", "en")
    engine.library = []
    finish(session.ask(engine, Asking("hello")))
    assert session.conversation.exchanges[-1].error is None
    assert [asked[1] for asked in engine.asked] == ["hello"]


def test_an_error_for_the_person_is_shown_and_the_next_question_works(engine):
    session = Session("", "en")
    engine.error = QuestionRefused("Ask something shorter.")
    finish(session.ask(engine, Asking("one")))
    engine.error = None
    finish(session.ask(engine, Asking("two")))
    assert [exchange.error for exchange in session.conversation.exchanges] == [Message("Ask something shorter."), None]
    assert engine.asked[1][3] == ()


def test_an_unexpected_error_is_one_sentence_and_a_traceback_in_the_log(engine, caplog):
    session = Session("", "en")
    engine.error = RuntimeError("secret /path")
    finish(session.ask(engine, Asking("one")))
    assert "secret" not in str(session.conversation.exchanges[-1].error)
    assert "An unexpected error occurred" in str(session.conversation.exchanges[-1].error)
    assert "secret /path" in caplog.text
    with pytest.raises(RuntimeError):
        finish(session.ask(engine, Asking("two"), raise_errors=True))


def test_stop_shows_at_once_even_if_the_reader_goes_on(engine):
    engine.reader_stalls.set()
    engine.step = 0.07  # longer than pieces are held back
    session = Session("", "en")
    steps = session.ask(engine, Asking("one"))
    for _ in range(3):
        next(steps)
    assert session.conversation.running
    session.stop()
    assert not session.conversation.running
    assert engine.stops[0].is_set()
    kept = session.conversation.exchanges[-1].text
    finish(steps)
    assert session.conversation.exchanges[-1].text == kept


def test_a_new_question_stops_the_previous_answer(engine):
    engine.step = 0.07
    session = Session("", "en")
    first = session.ask(engine, Asking("one"))
    for _ in range(3):
        next(first)
    assert session.conversation.running
    finish(session.ask(engine, Asking("two")))
    assert engine.stops[0].is_set()
    finish(first)
    assert [exchange.running for exchange in session.conversation.exchanges] == [False, False]
    assert session.conversation.exchanges[1].answer is not None


def test_only_the_newest_of_waiting_questions_reaches_the_engine(engine):
    session = Session("", "en")
    waiting = [session.ask(engine, Asking(f"question {number}")) for number in range(5)]
    for steps in waiting:
        next(steps)
    for steps in waiting:
        finish(steps)
    assert [asked[1] for asked in engine.asked] == ["question 4"]
    assert [exchange.stopped for exchange in session.conversation.exchanges] == [True, True, True, True, False]


def test_closing_the_stream_stops_the_reader(engine):
    engine.step = 0.07  # longer than pieces are held back
    session = Session("", "en")
    steps = session.ask(engine, Asking("one"))
    for _ in range(3):
        next(steps)
    assert session.conversation.running
    steps.close()
    assert engine.stops[0].is_set()


def test_no_question_is_forgotten_and_the_last_ones_are_shown(engine):
    session = Session("", "en")
    for number in range(1, SHOWN_TURNS + 32):
        finish(session.ask(engine, Asking(f"question {number}")))
    assert [exchange.id for exchange in session.conversation.branch] == list(range(1, SHOWN_TURNS + 32))
    assert [exchange.id for exchange in session.shown] == list(range(32, SHOWN_TURNS + 32))
    session.show_earlier()
    assert session.has_earlier
    session.show_earlier()
    assert not session.has_earlier
    assert session.shown == session.conversation.branch


def test_a_source_is_found_with_the_citation_of_its_sentence(engine):
    session = Session("", "en")
    finish(session.ask(engine, Asking("one")))
    session.open_source(1, 1, 0)
    assert session.opened.source.number == 1
    assert session.opened.citation is not None
    for sentence in (-1, 99):
        session.open_source(1, 1, sentence)
        assert session.opened.citation is None
    session.opened = None
    session.open_source(1, 9, 0)
    session.open_source(9, 1, 0)
    assert session.opened is None


def test_a_session_name_opens_only_its_owners_conversation():
    sessions = Sessions()
    ann = sessions.of("ann", "hash", "en")
    ann.conversation.add(Exchange(1, "private", answer=Answer((Sentence("x"),), "r")))
    assert sessions.of("bob", "hash", "en").conversation.exchanges == []
    assert sessions.of("ann", "hash", "en") is ann


def test_the_oldest_sessions_go_first():
    sessions = Sessions(most=2)
    first = sessions.of("", "1", "en")
    second = sessions.of("", "2", "en")
    sessions.of("", "3", "en")
    assert len(sessions) == 2
    assert sessions.of("", "2", "en") is second
    assert sessions.of("", "1", "en") is not first


def test_one_owners_sessions_push_out_no_others():
    sessions = Sessions(most=2)
    bobs = sessions.of("bob", "1", "en")
    for number in range(5):
        sessions.of("ann", str(number), "en")
    assert sessions.of("bob", "1", "en") is bobs
    assert len(sessions) == 3


def test_many_threads_may_stop_while_one_asks(engine):
    session = Session("", "en")
    threads = [threading.Thread(target=session.stop) for _ in range(20)]
    steps = session.ask(engine, Asking("one"))
    next(steps)
    for thread in threads:
        thread.start()
    finish(steps)
    for thread in threads:
        thread.join()
    assert not session.conversation.running


def test_progress_through_a_long_document_is_shown(engine):
    engine.reading = Reading(8, 40, 7_000, 8_192, "…", part=3, parts=12)
    session, shown = Session("", "en"), []
    for _ in session.ask(engine, Asking("List all deadlines")):
        shown.append(conversation_html(session))
    assert any("Reading part 3 of 12: 8 sources, 7,000 of 8,192 tokens…" in html for html in shown)
    assert "Reading part" not in shown[-1]


def test_of_a_whole_document_only_the_first_sources_and_those_cited_are_listed(engine):
    engine.passages = ["Sales rose. Costs fell."] * 250
    engine.answer = [("Sales rose.", (200,))]
    session = Session("", "en")
    finish(session.ask(engine, Asking("How much?")))
    html = conversation_html(session)
    assert [n for n in range(1, 251) if f'data-number="{n}" data-sentence="-1"' in html] == [1, 2, 3, 4, 200]


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Used 31 of 40 sources, 27,412 of 32,768 tokens"),
        ("zh", "使用了 40 个来源中的 31 个，27,412 / 32,768 个词元"),
    ],
)
def test_what_the_model_had_read_before_is_told(engine, language, shown):
    engine.reading = Reading(31, 40, 27_412, 32_768, "", cached_tokens=26_880)
    session = Session("", language)
    finish(session.ask(engine, Asking("How much?")))
    told = {"en": ", 26,880 of them read before", "zh": "，其中 26,880 个此前已读"}[language]
    assert f"{shown}{told}" in conversation_html(session)
    exchange = session.conversation.exchanges[0]
    assert Exchange.from_json(exchange.to_json()).reading == engine.reading


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Used 31 of 40 sources, 27,412 of 32,768 tokens"),
        ("zh", "使用了 40 个来源中的 31 个，27,412 / 32,768 个词元"),
    ],
)
def test_what_the_model_read_is_shown_and_its_prompt_on_request(engine, language, shown):
    engine.reading = Reading(31, 40, 27_412, 32_768, "<|user|>\n<b>Sources</b>")
    session = Session("", language)
    finish(session.ask(engine, Asking("How much?")))
    assert shown in conversation_html(session)
    assert "Sources&lt;" not in conversation_html(session)
    for visible in (True, False):
        change_turn(engine, session, {"do": "prompt", "exchange": 1})
        assert ("&lt;|user|&gt;\n&lt;b&gt;Sources&lt;/b&gt;" in conversation_html(session)) is visible
    exchange = session.conversation.exchanges[0]
    assert Exchange.from_json(exchange.to_json()).reading == engine.reading
