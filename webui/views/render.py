"""Renders the page's HTML from the templates next to it. Every value is escaped unless it is already rendered HTML."""

from __future__ import annotations

import re
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from webui.strings import Language, say, say_message
from webui.views.markup import visible

TEMPLATES: Final = Path(__file__).with_name("templates")
STYLES: Final = Path(__file__).parents[1] / "static"

# Line breaks next to a tag or a Jinja expression, with the indentation that follows.
_LINE_BREAK = re.compile(r"(?<=[>}])[ \t]*\n\s*|[ \t]*\n\s*(?=[<{])")


class _DropLineBreaks(Extension):
    """Removes line breaks and indentation from a template; a browser would show them as spaces between elements.

    They become comments, so that line numbers in error messages stay right.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source, with the line breaks next to tags and expressions commented out."""
        return _LINE_BREAK.sub(lambda found: "{#" + "\n" * found[0].count("\n") + "#}", source)


@cache
def environment() -> Environment:
    """The page's only Jinja environment."""
    return Environment(
        loader=FileSystemLoader((TEMPLATES, STYLES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_DropLineBreaks],
        finalize=_visible,
    )


def render(template: str, language: Language, **values: Any) -> Markup:
    """A rendered template. It gets `values`, and `say(key, ...)` and `tell(message)` for words in `language`."""
    words = {"language": language, "say": partial(say, language), "tell": partial(say_message, language)}
    return Markup(environment().get_template(template).render(**words, **values))


def _visible(value: Any) -> Any:
    """What a template shows for a value, before it is escaped."""
    return value if isinstance(value, Markup) else visible(value)
