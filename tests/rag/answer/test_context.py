from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.context import MIN_SOURCE_TOKENS, pack_context
from rag.errors import QuestionRefused
from rag.reader import Evidence, ReadRequest, Sampling, Turn
from rag.records import Source
from rag.settings import ContextSettings
from tests.fakes import ScriptedReader


def source(number: int, text: str, document: str = "a", start: int | None = None) -> Source:
    at = 1000 * number if start is None else start
    return Source(number, number, document, "x.pdf", 0, 0, "iv", ("Top", "Below"), text, at, at + len(text), 1.0)


def reader(tokens: int) -> ScriptedReader:
    made = ScriptedReader()
    made.context_tokens = tokens
    return made


SETTINGS = ContextSettings()
SAMPLING = Sampling(max_tokens=10)
NAMES = 5  # tokens of "x.pdf iv Top > Below"
FRAME = 2  # tokens of a prompt of one word with an empty source


def test_everything_that_fits_is_packed_with_its_document_page_and_heading():
    packed = pack_context(
        "why", [source(1, "one two\n"), source(2, "three")], [Turn("a", "b")], reader(200), SAMPLING, SETTINGS
    )
    assert [(s.number, s.page, s.heading, s.text) for s in packed.sources] == [
        (1, "iv", "Top > Below", "one two"),
        (2, "iv", "Top > Below", "three"),
    ]
    assert packed.history == (Turn("a", "b"),)


def test_the_last_source_is_truncated_at_a_sentence_and_further_ones_are_left_out():
    text = "One two three. " * 8 + "Four five six."
    room = SAMPLING.max_tokens + FRAME + SETTINGS.source_tokens + NAMES + 25
    packed = pack_context("why", [source(1, text), source(2, "more")], [], reader(room), SAMPLING, SETTINGS)
    assert [s.text for s in packed.sources] == [("One two three. " * 8).strip()]


def test_history_takes_a_quarter_of_the_room_at_most_and_keeps_the_newest_turns():
    turns = [Turn("old " * 30, "x"), Turn("new", "y")]
    packed = pack_context("why", [source(1, "text")], turns, reader(120), SAMPLING, SETTINGS)
    assert packed.history == (turns[1],)


def test_a_question_that_leaves_no_room_for_sources_is_refused():
    with pytest.raises(QuestionRefused, match=r"leaves scripted \(20 tokens\) no room for sources"):
        pack_context("why", [source(1, "text")], [], reader(20), SAMPLING, SETTINGS)


def test_the_prompt_never_exceeds_the_reader():
    sources = [replace(source(n, "word " * 80), passage_span=(100, 200)) for n in range(1, 9)]
    for room in range(90, 900, 7):
        made = reader(room)
        packed = pack_context("why", sources, [Turn("q " * 5, "a " * 5)] * 4, made, SAMPLING, SETTINGS)
        prompt = made.prompt(ReadRequest("why", packed.sources, packed.history, SAMPLING))
        assert prompt.tokens + SAMPLING.max_tokens <= room


@given(st.lists(st.integers(1, 120), min_size=1, max_size=12), st.integers(80, 900))
def test_no_room_is_left_unused_while_something_of_a_source_is_not_read(lengths, room):
    """A source is cut rather than dropped, and widened again where room is left."""
    sources = [
        replace(source(n, "word\n" * length), passage_span=(0, 5 * min(length, 20)))
        for n, length in enumerate(lengths, 1)
    ]
    made = reader(room)
    packed = pack_context("why", sources, [], made, SAMPLING, SETTINGS)
    prompt = made.prompt(ReadRequest("why", packed.sources, (), SAMPLING))
    reserved = len(packed.sources) * (SETTINGS.source_tokens + 1)
    unused = room - SAMPLING.max_tokens - prompt.tokens - reserved
    given, whole = sum(len(one.text.split()) for one in packed.sources), sum(lengths)
    assert given == whole or unused <= MIN_SOURCE_TOKENS + SETTINGS.source_tokens + NAMES + 12


def test_a_long_source_gives_way_to_others_and_takes_what_they_leave():
    """Room for 100 words of text: a quarter is 25, so a source of 85 words is narrowed to its passage of 5 first."""
    wide = replace(source(1, "before " * 40 + "these five words were found " + "after " * 40), passage_span=(280, 308))
    others = [source(n, "more " * 30) for n in range(2, 5)]
    room = SAMPLING.max_tokens + FRAME + 4 * (SETTINGS.source_tokens + NAMES) + 100
    read = {
        one.number: one.text
        for one in pack_context("why", [wide, *others], [], reader(room), SAMPLING, SETTINGS).sources
    }
    assert list(read) == [1, 2, 3, 4]
    assert "these five words were found" in read[1]
    alone = pack_context("why", [wide], [], reader(room), SAMPLING, SETTINGS).sources
    assert len(alone[0].text.split()) == 85


def test_a_long_source_keeps_whole_lines_around_its_passage():
    lines = [f"line {n:02}\n" for n in range(40)]
    text = "".join(lines)
    wide = replace(source(1, text), passage_span=(text.index("line 10"), text.index("line 11")))
    for room in range(80, 230, 10):
        (only,) = pack_context("why", [wide], [], reader(room), SAMPLING, SETTINGS).sources
        kept = [line + "\n" for line in only.text.split("\n")]
        assert "line 10\n" in kept
        assert kept == lines[lines.index(kept[0]) : lines.index(kept[-1]) + 1]
    assert len(kept) == 40


def test_sources_are_read_document_by_document_in_reading_order_the_best_first_and_the_next_best_last():
    found = [("b", 900), ("a", 50), ("b", 100), ("c", 0), ("d", 0), ("a", 10)]
    sources = [source(n, "some words here", document, start) for n, (document, start) in enumerate(found, 1)]
    packed = pack_context("why", sources, [], reader(2000), SAMPLING, SETTINGS)
    assert [one.number for one in packed.sources] == [3, 1, 4, 5, 6, 2]  # b, c, d, a


def test_evidence_takes_its_share_and_only_of_sources_that_are_packed():
    evidence = [Evidence(1, "one two three", 1.0), Evidence(9, "gone", 1.0), Evidence(2, "far " * 500, 1.0)]
    sources = [source(1, "one two three four"), source(2, "far")]
    packed = pack_context("why", sources, [], reader(1000), SAMPLING, SETTINGS, evidence=evidence)
    assert packed.evidence == (evidence[0],)
    assert {one.number for one in packed.sources} == {1, 2}
