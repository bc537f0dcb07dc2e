"""Streamed text comes in whole characters, post-processed like the original, and equals the text processed at once."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.families import PromptFormat
from model.stream import FULL_WIDTH, TRAINING_TIME, Cleaner, TokenText
from tests.model.reference import FAMILIES, tokenizer_of

FORMATS = list(PromptFormat)
habits = st.lists(
    st.sampled_from(
        [
            TRAINING_TIME,
            "[[训练",
            "[",
            "中",
            "文",
            ",",
            "?",
            ":",
            "!",
            ";",
            " ",
            "\n",
            "[1]",
            "a",
            "<th",
            "<think>",
            "</think>",
        ]
    )
).map("".join)


def cleaned(prompt_format, pieces, **options):
    cleaner = Cleaner(prompt_format, **options)
    return "".join([*map(cleaner.feed, pieces), cleaner.end()])


def original(text):
    """process_response of modeling_chatglm.py, ChatGLM-6B."""
    text = text.strip().replace(TRAINING_TIME, "2023年")
    for mark, wide in FULL_WIDTH.items():
        text = re.sub(rf"([\u4e00-\u9fff])\{mark}", rf"\1{wide}", text)
        text = re.sub(rf"\{mark}([\u4e00-\u9fff])", rf"{wide}\1", text)
    return text


@given(text=habits)
def test_the_first_generation_is_processed_like_the_original(text):
    assert cleaned(PromptFormat.CHATGLM1, [text]) == original(text)


@pytest.mark.parametrize("prompt_format", FORMATS)
@given(text=habits | st.text(), cuts=st.lists(st.integers(0, 30)))
def test_pieces_joined_equal_the_text_processed_at_once(prompt_format, text, cuts):
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    assert cleaned(prompt_format, pieces) == cleaned(prompt_format, [text])
    assert cleaned(prompt_format, list(text)) == cleaned(prompt_format, [text])


@pytest.mark.parametrize("prompt_format", FORMATS)
def test_only_white_space_around_the_answer_is_removed(prompt_format):
    assert cleaned(prompt_format, ["\n ", "a", " \n", "b", " "]) == "a \nb"


def test_later_families_keep_their_punctuation():
    assert cleaned(PromptFormat.GLM4, ["中,文", TRAINING_TIME]) == "中,文" + TRAINING_TIME


def test_text_is_released_as_soon_as_it_is_certain():
    cleaner = Cleaner(PromptFormat.CHATGLM3)
    assert cleaner.feed("[") == ""
    assert cleaner.feed("1]") == "[1]"


@pytest.mark.parametrize(
    ("pieces", "begun", "shown", "still"),
    [
        pytest.param(["I thi", "nk [1]</th", "ink>\n", "The answer."], True, "The answer.", False, id="by the prompt"),
        pytest.param(["\n<th", "ink>I think", "</think>\n", "The answer."], False, "The answer.", False, id="itself"),
        pytest.param(["<think></think>Yes."], False, "Yes.", False, id="of nothing"),
        pytest.param(["never ", "done"], True, "", True, id="never done"),
        pytest.param(["<think>never done"], False, "", True, id="begun itself and never done"),
        pytest.param(["<th"], False, "<th", False, id="not begun"),
        pytest.param(["Write <think> and </think>."], False, "Write <think> and </think>.", False, id="spoken of"),
    ],
)
def test_reasoning_is_removed(pieces, begun, shown, still):
    cleaner = Cleaner(PromptFormat.TEMPLATE, reasoning=begun)
    assert "".join([*map(cleaner.feed, pieces), cleaner.end()]) == shown
    assert cleaner.reasoning is still


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None)  # the first of them loads the tokenizer
@given(text=st.text(alphabet=st.sampled_from("你好世界😀🇨🇳é a\n")))
def test_no_incomplete_character_is_released(family, text):
    tokenizer = tokenizer_of(family)
    stream = TokenText(tokenizer)
    pieces = [stream.feed(token) for token in tokenizer.encode(text)]
    assert not any("\ufffd" in piece for piece in pieces)
    if family != "chatglm1":  # its normaliser is lossy
        assert "".join(pieces) == text


def test_a_character_is_released_with_its_last_byte():
    tokenizer = tokenizer_of("chatglm3")
    tokens = tokenizer.encode("𠮷")  # by its four bytes
    stream = TokenText(tokenizer)
    assert [stream.feed(token) for token in tokens][-4:] == ["", "", "", "𠮷"]


@settings(deadline=None)
@given(tokens=st.lists(st.integers(0, 64800), max_size=20))
def test_invalid_bytes_are_dropped(tokens):
    stream = TokenText(tokenizer_of("chatglm3"))
    assert "\ufffd" not in "".join(stream.feed(token) for token in tokens)
