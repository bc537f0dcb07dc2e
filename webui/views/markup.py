"""Turns untrusted text into safe HTML: visible characters, and an answer's Markdown with buttons for its citations.

All text from documents, file names, questions, answers and errors goes through here, or through the templates'
escaping.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markupsafe import Markup

from rag.answer.marks import replace_citation_marks

# Placeholders in Markdown, `\ue000N\ue001`: private-use characters, which are first removed from untrusted text. They
# pass through the Markdown renderer as plain text and are replaced afterwards, so no HTML ever enters the renderer.
_OPEN, _CLOSE = "\ue000", "\ue001"
_RESERVED = re.compile(f"[{_OPEN}{_CLOSE}]")
_PLACEHOLDER = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
# Control characters, and those that change the direction of text, as in `evil\u202efdp.exe`.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# A placeholder written as numeric entities, which rendering would turn into a real one.
_FORGED = re.compile("&#(?:x0*e00[01]|0*5734[45]);", re.IGNORECASE)
_BULLET = re.compile(r"^([ \t]{0,8}[•‣◦▪▫●○■□➢➤✓])(?=[^\s•‣◦▪▫●○■□➢➤✓])", re.MULTILINE)
# A line break within a sentence, where a line of the PDF was full.
_FULL_LINE = re.compile(r"(?<=[^\n]{60})\n(?=[a-z]{2})")
_AFTER_LANGUAGE = re.compile(r"[^\w+#.-].*", re.DOTALL)  # in the info string of a fenced code block


def visible(text: object) -> str:
    """Text in which control characters, and those that change its direction, become U+FFFD. Not escaped yet."""
    return _UNSEEN.sub("\ufffd", str(text))


def escape(text: object) -> str:
    """Visible text, escaped for element content and quoted attributes."""
    return html.escape(visible(text), quote=True)


def space_bullets(text: str) -> str:
    """Text with a space after each bullet at the start of a line, which PDFs often lack."""
    return _BULLET.sub(r"\1 ", text)


def _markdown() -> MarkdownIt:
    """Markdown without HTML, images and links, so that an answer cannot load anything or lead anywhere."""
    return (
        MarkdownIt("commonmark", {"html": False, "breaks": True})
        .enable(["table", "strikethrough"])
        .disable(["html_block", "html_inline", "image", "link", "autolink", "reference"])
    )


def placeholder(number: int) -> str:
    """Stands for `place(number)` in Markdown or plain text, until `to_html` replaces it."""
    return f"{_OPEN}{number}{_CLOSE}"


def remove_placeholders(text: str) -> str:
    """`text` without the characters of placeholders, so that nobody can forge one."""
    return _RESERVED.sub("", text)


def append_placeholders(text: str, placeholders: str) -> str:
    """Put placeholders after the last visible character; inside the last cell if `text` ends with a table row."""
    body = text.rstrip()
    rest = text[len(body) :]
    if body.endswith("|"):
        return f"{body[:-1].rstrip()} {placeholders} |{rest}"
    if body.endswith("```"):
        return f"{body}\n\n{placeholders}{rest}"
    return f"{body}{placeholders}{rest}"


def citations_to_placeholders(text: str, sources: int, first: int = 1) -> str:
    """A streaming answer with placeholders for its citation marks: `first` for source 1, and so on.

    Numbers that are none of the `sources` are dropped. An incomplete mark is held back.
    """
    return replace_citation_marks(
        remove_placeholders(text),
        lambda numbers: "".join(placeholder(first + n - 1) for n in numbers if 1 <= n <= sources),
    )


def to_html(text: str, place: Callable[[int], str], *, plain: bool) -> Markup:
    """Text or Markdown as HTML. `place(n)` returns the HTML for placeholder n."""
    if plain:
        paragraphs = [part for part in re.split(r"\n\s*\n", _FULL_LINE.sub(" ", text)) if part.strip()]
        body = "".join(f"<p>{html.escape(part.strip()).replace(chr(10), '<br>')}</p>" for part in paragraphs)
    else:
        body = _rendered(text)
    return Markup(_PLACEHOLDER.sub(lambda match: place(int(match[1])), visible(body)))


def _rendered(text: str) -> str:
    """Markdown as HTML. Placeholders are kept only in text, since the language of a code block becomes an attribute."""
    markdown = _markdown()
    tokens = markdown.parse(_FORGED.sub("\ufffd", text))
    for token in tokens:
        if token.type == "fence":
            token.info = _AFTER_LANGUAGE.sub("", _PLACEHOLDER.sub("", token.info).strip())
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def fences(text: str) -> list[tuple[int, int]]:
    """Spans [start, end), in characters, of the fenced code blocks in Markdown, including the fences."""
    lines = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text))]
    blocks = [token.map for token in _markdown().parse(text) if token.type == "fence" and token.map]
    return [(lines[first], lines[end] if end < len(lines) else len(text)) for first, end in blocks]
