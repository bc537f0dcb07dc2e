"""HTML comes from templates that escape every value; no view builds it by hand."""

import ast
import re

import pytest
from jinja2 import TemplateSyntaxError, UndefinedError
from markupsafe import Markup

from tests.webui.safe import NASTY, look
from webui.views import markup, render

VIEWS = sorted(path for path in render.TEMPLATES.parent.glob("*.py") if path.name not in ("markup.py", "render.py"))
TEMPLATES = sorted(render.TEMPLATES.glob("*.html"))


def strings(tree):
    """String constants of a module, parts of f-strings included, docstrings left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree)
                  if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.name)
def test_no_view_builds_tags_or_declares_text_to_be_html(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert [text for text in strings(tree) if re.search(r"</?[a-zA-Z]|<!(?:--|[a-zA-Z])|&\w+;", text)] == []
    called = {ast.unparse(node.func): node.args for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert called.get("Markup", []) == [], "only an empty Markup() needs no escaping"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_switches_escaping_off(path):
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    assert not re.search(r"=\{\{", text), "an attribute without quotes is not protected by escaping"


@pytest.mark.parametrize("text", NASTY)
def test_values_are_escaped_in_content_and_attributes(text):
    template = render.environment().from_string('<p title="{{ text }}">{{ text }}</p>')
    looked = look(template.render(text=text))
    (element,) = looked.elements
    assert element == ("p", {"title": markup.visible(text)})
    assert looked.text == markup.visible(text)


def test_html_rendered_before_is_not_escaped_again():
    template = render.environment().from_string("{{ inner }}")
    assert template.render(inner=Markup("<b>a &amp; b</b>")) == "<b>a &amp; b</b>"


def test_a_misspelt_value_is_an_error():
    with pytest.raises(UndefinedError):
        render.environment().from_string("{{ titel }}").render(title="x")


def test_line_breaks_between_elements_are_no_spaces_but_those_of_values_stay():
    source = """
<ul>
  {% for row in rows %}
    <li
      class="{{ row }}">
      {{ row }} <b>x</b>
    </li>
  {% endfor %}
</ul>
"""
    drawn = render.environment().from_string(source).render(rows=["a\nb"])
    assert drawn == '<ul><li\n      class="a\nb">a\nb <b>x</b></li></ul>'


def test_errors_name_the_line_of_the_template():
    with pytest.raises(TemplateSyntaxError) as failed:
        render.environment().from_string("<p>\n\n</p>\n{% if %}")
    assert failed.value.lineno == 4
