import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webui.safe import NASTY, look
from webui.views.markup import (
    append_placeholders,
    citations_to_placeholders,
    escape,
    fences,
    placeholder,
    to_html,
)


def button(number):
    return f'<button type="button">{number}</button>'


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("plain", [True, False])
def test_hostile_text_stays_text(text, plain):
    looked = look(to_html(citations_to_placeholders(text, 3), button, plain=plain))
    assert "button" not in [tag for tag, _ in looked.elements]
    looked = look(f'<p title="{escape(text)}">{escape(text)}</p>')
    assert [tag for tag, _ in looked.elements] == ["p"]


@given(st.text(alphabet=st.sampled_from(list("<>\"'&`${}[]()!*_#|-\n :/=ajsvcript1\ue000\ue001")), max_size=80))
def test_no_text_at_all_becomes_markup(text):
    for plain in (True, False):
        looked = look(to_html(citations_to_placeholders(text, 9), button, plain=plain))
        assert not {"a", "img", "input", "form"} & {tag for tag, _ in looked.elements}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("Sales rose [1].", ["1"], id="one"),
        pytest.param("Both [1][2] and [1, 3]", ["1", "2", "1", "3"], id="several"),
        pytest.param("收入增长【2】。", ["2"], id="chinese brackets"),
        pytest.param("In [2023] and [0] and [4] of three", [], id="years stay text, unknown numbers are dropped"),
        pytest.param("Both [3, 4]", ["3"], id="one of two is unknown"),
        pytest.param("收入增长【2†来源】。", ["2"], id="with a note"),
        pytest.param("`a[1]`", ["1"], id="in code"),
        pytest.param("[1](http://127.0.0.1:9/)", ["1"], id="a link loses its address' power"),
    ],
)
def test_citation_marks_become_buttons(text, numbers):
    looked = look(to_html(citations_to_placeholders(text, 3), button, plain=False))
    assert [tag for tag, _ in looked.elements].count("button") == len(numbers)
    for number in numbers:
        assert number in looked.text
    assert ("[2023]" in looked.text) is ("[2023]" in text)
    assert not re.search(r"\[[04]\]|†", looked.text)


def test_a_full_line_goes_on_in_the_next_one_and_a_short_one_ends():
    full = "Our core strategy is to grow our business globally within the"
    assert to_html(f"{full}\nlimits of our targets.", str, plain=True) == f"<p>{full} limits of our targets.</p>"
    for text in ("apples\nand pears", f"{full}\nLimits", f"{full}\nb) limits", f"{full}\n• limits"):
        assert "<br>" in to_html(text, str, plain=True)


def test_markdown_is_rendered_and_plain_text_is_not():
    text = "Growth was **strong**:\n\n- services\n- goods\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    tags = [tag for tag, _ in look(to_html(text, button, plain=False)).elements]
    assert {"strong", "ul", "li", "table", "td"} <= set(tags)
    plain = look(to_html(text, button, plain=True))
    assert {tag for tag, _ in plain.elements} == {"p", "br"}
    assert "**strong**" in plain.text


@pytest.mark.parametrize(
    "text",
    [
        "It rose.",
        "- an item",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "```\ncode\n```",
        "> quoted",
        "**bold**",
        "1. one",
    ],
)
def test_a_mark_behind_a_sentence_is_never_lost(text):
    assert to_html(append_placeholders(text, placeholder(7)), button, plain=False).count(button(7)) == 1


@pytest.mark.parametrize(
    ("info", "language"),
    [
        pytest.param("python", "python", id="a language"),
        pytest.param(f"python{placeholder(1)}", "python", id="a mark behind it"),
        pytest.param(f"{placeholder(1)} c++", "c++", id="a mark before it"),
        pytest.param(placeholder(1), None, id="a mark alone"),
        pytest.param("&#xE000;1&#57345;", None, id="a mark in entities"),
        pytest.param('x" onclick=window.__xss=1', "x", id="more than a name"),
    ],
)
@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_no_mark_gets_into_the_attribute_of_a_code_block(fence, info, language):
    looked = look(to_html(f"{fence}{info}\nprint(1)\n{fence}", button, plain=False))
    wanted = {} if language is None else {"class": f"language-{language}"}
    assert looked.elements == [("pre", {}), ("code", wanted)]
    assert looked.text.strip() == "print(1)"


def test_marks_cannot_be_spelled_in_entities():
    looked = look(
        to_html(
            citations_to_placeholders("A &#xe000;7&#xE001; &#057344;8&#57345; [1] &lt;b&gt;", 3), button, plain=False
        )
    )
    assert [tag for tag, _ in looked.elements] == ["p", "button"]
    assert looked.text.endswith("1 <b>\n")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("A.\n```py\nx\n```\nB.", ["```py\nx\n```\n"], id="one"),
        pytest.param("```\r\nx\r\n```\r\n", ["```\r\nx\r\n```\r\n"], id="other line ends"),
        pytest.param("~~~\nx\n~~~\n\n- a\n  ```\n  y\n  ```", ["~~~\nx\n~~~\n", "  ```\n  y\n  ```"], id="in a list"),
        pytest.param("A.\n```\nnever closed", ["```\nnever closed"], id="cut off"),
        pytest.param("Use ```x``` here.", [], id="within a line"),
    ],
)
def test_fenced_code_is_found(text, code):
    assert [text[start:end] for start, end in fences(text)] == code


def test_escaped_text_reads_the_same():
    name = "a \"quoted\" <b> & 'c' 📄 报告.pdf"
    assert look(f"<p>{escape(name)}</p>").text == name
