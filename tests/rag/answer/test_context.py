from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.context import pack_context
from rag.errors import QuestionRefused
from rag.reader import Evidence, Sampling, Turn
from rag.records import Source
from rag.settings import ContextSettings
from tests.fakes import ScriptedReader


def source(number: int, text: str) -> Source:
    return Source(number, number, "a" * 64, "x.pdf", 0, 0, "iv", ("Top", "Below"), text, 0, len(text), 1.0)


def reader(tokens: int) -> ScriptedReader:
    made = ScriptedReader()
    made.context_tokens = tokens + SETTINGS.prompt_tokens
    return made


SETTINGS = ContextSettings()
SAMPLING = Sampling(max_tokens=10)
NAMES = 5  # tokens of "x.pdf iv Top > Below"


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
    text = "One two three. Four five six. Seven eight nine."
    room = 10 + 1 + SETTINGS.source_tokens + NAMES + 7
    packed = pack_context("why", [source(1, text), source(2, "more")], [], reader(room), SAMPLING, SETTINGS)
    assert [s.text for s in packed.sources] == ["One two three. Four five six."]


def test_history_takes_a_quarter_of_the_room_at_most_and_keeps_the_newest_turns():
    turns = [Turn("old " * 30, "x"), Turn("new", "y")]
    packed = pack_context("why", [source(1, "text")], turns, reader(110), SAMPLING, SETTINGS)
    assert packed.history == (turns[1],)


def test_a_question_that_leaves_no_room_for_sources_is_refused():
    with pytest.raises(QuestionRefused, match=r"leaves scripted \(400 tokens\) no room for sources"):
        pack_context("why", [source(1, "text")], [], reader(0), SAMPLING, SETTINGS)


def test_the_prompt_never_exceeds_the_reader():
    sources = [source(n, "word " * 40) for n in range(1, 9)]
    for room in range(40, 400, 7):
        made = reader(room)
        packed = pack_context("why", sources, [Turn("q " * 5, "a " * 5)] * 4, made, SAMPLING, SETTINGS)
        used = sum(made.count_tokens(s.text) + SETTINGS.source_tokens + NAMES for s in packed.sources)
        used += sum(made.count_tokens(t.question) + made.count_tokens(t.answer) for t in packed.history)
        assert used + 1 + SAMPLING.max_tokens <= room


def test_a_wide_source_is_narrowed_to_its_passage_where_it_would_take_the_room_of_others():
    """Room for 40 words of text: a quarter is 10, so a source of 21 words is narrowed to its passage of 5."""
    wide = replace(source(1, "before " * 8 + "these five words were found " + "after " * 8), passage_span=(56, 84))
    packed = pack_context("why", [wide, source(2, "more")], [], reader(51), SAMPLING, SETTINGS)
    assert [s.text for s in packed.sources] == ["these five words were found"]
    roomy = pack_context("why", [wide, source(2, "more")], [], reader(151), SAMPLING, SETTINGS)
    assert [len(s.text.split()) for s in roomy.sources] == [21, 1]


def test_a_long_source_keeps_whole_lines_around_its_passage():
    lines = [f"line {n:02}\n" for n in range(20)]
    text = "".join(lines)
    wide = replace(source(1, text), passage_span=(text.index("line 10"), text.index("line 11")))
    for room in range(80, 200, 10):
        (only,) = pack_context("why", [wide], [], reader(room), SAMPLING, SETTINGS).sources
        kept = [line + "\n" for line in only.text.split("\n")]
        assert "line 10\n" in kept
        assert kept == lines[lines.index(kept[0]) : lines.index(kept[-1]) + 1]
        assert len(only.text.split()) <= max((room - 11) // 4, 2)
    assert len(kept) == 20


def test_evidence_takes_its_share_and_only_of_sources_that_are_packed():
    evidence = [Evidence(1, "one two three", 1.0), Evidence(9, "gone", 1.0), Evidence(2, "far " * 500, 1.0)]
    sources = [source(1, "one two three four"), source(2, "far")]
    packed = pack_context("why", sources, [], reader(1000), SAMPLING, SETTINGS, evidence=evidence)
    assert packed.evidence == (evidence[0],)
    assert [one.number for one in packed.sources] == [1, 2]
