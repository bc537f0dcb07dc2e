"""A follow-up reads what was read before first, in the same words and under the same numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.context import SourceRead
from rag.answer.quote import QuoteReader
from rag.answer.steady import LastRead, Steady
from rag.engine import Engine
from rag.reader import ReadSource, Turn
from rag.records import Answer, Found, Source
from rag.settings import Settings
from tests.fakes import ExactEmbedder, ScriptedReader
from tests.rag.engines import add
from tests.rag.pdfs import text_pdf

PAGES = [
    f"Chapter {n}. The pump number {n} was built in {1900 + n}. " + f"Detail {n} of the pump. " * 45 for n in range(40)
]
OTHER = [f"The heron number {n} nests at lake {n}. " + f"Feather {n} of the heron. " * 45 for n in range(40)]


def source(number: int, start: int, text: str = "x" * 100, document: str = "a") -> Source:
    return Source(number, number, document, "x.pdf", 0, 0, "1", (), text, start, start + len(text), 1.0 / number)


def read(one: Source, *, is_whole: bool = True) -> SourceRead:
    text = one.text if is_whole else one.text[:10]
    return SourceRead(one, ReadSource(one.number, one.document, one.page_label, "", text), 30, is_whole)


BEFORE = [read(source(n, 1000 * n)) for n in (3, 1, 2)]


def test_what_is_found_again_keeps_its_place_and_its_number():
    found = [source(1, 2000), source(2, 9000), source(3, 3000), source(4, 1000)]
    steady = Steady(found, BEFORE)
    assert steady.kept == BEFORE
    assert [(one.number, one.start) for one in steady.sources] == [(2, 2000), (4, 9000), (3, 3000), (1, 1000)]


def test_a_passage_within_what_was_read_is_marked_there():
    inner = replace(source(1, 1020, "x" * 30), score=0.7)
    (first, *_) = Steady([inner, source(2, 3000)], BEFORE).sources
    assert (first.number, first.start, first.passage_span, first.score) == (1, 1000, (20, 50), 0.7)
    assert first.passage_text == inner.text


def test_what_is_not_found_again_in_time_is_left_out():
    assert Steady([source(1, 3000)], BEFORE).kept == BEFORE[:1]
    assert Steady([source(1, 2000)], BEFORE).kept == []
    assert Steady([source(1, 3000), source(2, 2000)], BEFORE).kept == BEFORE  # two of three
    assert Steady([source(1, 3000, document="b")], BEFORE).kept == []
    assert Steady([], BEFORE).kept == []


def test_what_stays_without_being_found_comes_last_and_has_no_score():
    steady = Steady([source(1, 2000), source(2, 3000)], BEFORE)
    assert [(one.number, one.score) for one in steady.sources] == [(2, 1.0), (3, 0.5), (1, 0.0)]


def test_a_passage_that_was_cut_off_is_read_anew():
    before = [read(source(1, 0, "abcdefghij" + "y" * 90), is_whole=False)]
    assert Steady([source(1, 0, "abcdef")], before).kept == before
    assert Steady([source(1, 20, "y" * 50)], before).kept == []


@pytest.mark.parametrize(("room", "kept"), [(150, 3), (149, 2), (119, 2), (90, 2), (60, 1), (30, 0)])
def test_the_better_half_of_what_fits_has_room_in_any_case(room, kept):
    """Of sources of 30 tokens each: the first two are new where four or five fit, the first one where fewer do."""
    found = [source(n, start) for n, start in enumerate((8000, 9000, 3000, 1000, 2000), 1)]
    steady = Steady(found, BEFORE)
    steady.leave_room(room, lambda one: 30)
    assert len(steady.kept) == kept


def test_where_all_is_found_again_only_the_end_gives_way_to_the_turn_between():
    before = [read(source(n, 1000 * n)) for n in (1, 2, 4, 5, 6, 8, 7, 3)]
    steady = Steady([source(n, 1000 * n) for n in range(1, 9)], before)
    steady.leave_room(8 * 30 - 20, lambda one: 30)
    assert len(steady.kept) == 6


@given(st.lists(st.integers(0, 12), unique=True, max_size=8), st.lists(st.integers(0, 12), unique=True, max_size=8))
def test_every_passage_found_is_in_exactly_one_source_and_numbers_are_unique(earlier, later):
    before = [read(source(n + 1, 1000 * start)) for n, start in enumerate(earlier)]
    found = [source(n + 1, 1000 * start) for n, start in enumerate(later)]
    steady = Steady(found, before)
    numbers = [one.number for one in steady.sources]
    assert len(set(numbers)) == len(numbers)
    starts = [one.start for one in steady.sources]
    assert len(set(starts)) == len(starts)
    assert {one.start for one in found} <= set(starts)
    assert {one.source.number: one.source.start for one in steady.kept}.items() <= dict(
        zip(numbers, starts, strict=True)
    ).items()


def test_what_was_read_longest_ago_is_forgotten_and_so_is_a_document_that_has_changed():
    last = LastRead(most=2)
    for question in ("one", "two", "three"):
        last.keep(("ann", "glm", question), tuple(BEFORE))
    assert [bool(last.of(("ann", "glm", question))) for question in ("one", "two", "three")] == [False, True, True]
    assert last.of(("ben", "glm", "two")) == ()
    last.forget("b")
    assert last.of(("ann", "glm", "two"))
    last.forget("a")
    assert last.of(("ann", "glm", "two")) == ()


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path), embedder=ExactEmbedder, reader=QuoteReader()) as engine:
        add(engine, ("pumps.pdf", text_pdf(PAGES)), ("herons.pdf", text_pdf(OTHER)))
        engine.questions.reader = ScriptedReader(*[["It was built in 1907 [1]."]] * 6)
        engine.questions.reader.context_tokens = 4_096
        yield engine


def asked(engine, question, history=(), person="ann", documents=None):
    """The sources found, what the model read, and the answer."""
    events = list(engine.ask("", question, documents, history=history, person=person))
    found = next(event for event in events if isinstance(event, Found))
    return found, engine.questions.reader.history[-1].sources, next(e for e in events if isinstance(e, Answer))


FIRST, SECOND = "When was the pump number 7 built?", "And what detail of the pump number 7?"
HISTORY = (Turn(FIRST, "In 1907."),)


def test_a_follow_up_begins_with_what_was_read_before(engine):
    _, before, _ = asked(engine, FIRST)
    found, now, _ = asked(engine, SECOND, HISTORY)
    same = next((n for n, (one, two) in enumerate(zip(before, now, strict=False)) if one != two), len(now))
    assert same >= 0.6 * len(before) > 3
    texts = {one.number: one.text for one in found.sources}
    assert all(one.text in texts[one.number] for one in now)
    assert len({one.number for one in now}) == len(now)


def test_a_citation_of_what_stays_shows_where_it_stands(engine):
    _, before, _ = asked(engine, FIRST)
    right = next(one for one in before if "1907" in one.text)
    engine.questions.reader.answers[0] = [f"It was built in 1907 [{right.number}]."]
    found, now, answer = asked(engine, SECOND, HISTORY)
    assert right in now
    (cited,) = answer.sentences[0].citations
    source = next(one for one in found.sources if one.number == cited.number)
    assert cited.number == right.number
    assert "1907" in source.text[cited.start : cited.end]


def test_another_subject_another_person_or_another_choice_begins_anew(engine):
    _, before, _ = asked(engine, FIRST)
    herons = next(one.id for one in engine.documents("") if one.name == "herons.pdf")
    _, now, _ = asked(engine, "Where does the heron number 9 nest?", HISTORY)
    assert not set(before[:3]) & set(now[:3])
    asked(engine, FIRST)
    found, _, _ = asked(engine, SECOND, HISTORY, person="ben")
    assert [one.number for one in found.sources] == list(range(1, len(found.sources) + 1))
    asked(engine, FIRST)
    found, now, _ = asked(engine, SECOND, HISTORY, documents=[herons])
    assert {one.document for one in now} == {"herons.pdf"}
