"""Untrusted text into safe HTML: escaping, and the Markdown of an answer with its citation marks as buttons.

Everything the page shows of a document, a file name, a question, an answer or an error passes through here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from markdown_it import MarkdownIt

# Marks of our own inside Markdown: private-use characters, taken out of the text first. `\ue000N\ue001` survives
# Markdown as plain text and is replaced afterwards, so no HTML ever goes into the Markdown renderer.
_OPEN, _CLOSE = "\ue000", "\ue001"
_OURS = re.compile(f"[{_OPEN}{_CLOSE}]")
_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
# What readers write: [1], [1, 2], [1][2] and, in Chinese, 【1】.
_MARK = re.compile(r"[\[【](\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)[\]】]")
# Control characters, and those that turn the direction of the text around them: `evil\u202efdp.exe`.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# A place holder spelled as Markdown's numeric entities, which would become one while it is rendered.
_FORGED = re.compile("&#(?:x0*e00[01]|0*5734[45]);", re.IGNORECASE)
_AFTER_LANGUAGE = re.compile(r"[^\w+#.-].*", re.DOTALL)  # in the info of a fenced code block


def escape(text: object) -> str:
    """Text for element content and quoted attributes; control and direction characters become visible or go."""
    return html.escape(_UNSEEN.sub("\ufffd", str(text)), quote=True)


def _markdown() -> MarkdownIt:
    """Markdown without HTML, pictures and links: nothing in an answer can load or lead anywhere."""
    return (
        MarkdownIt("commonmark", {"html": False, "breaks": True})
        .enable(["table", "strikethrough"])
        .disable(["html_block", "html_inline", "image", "link", "autolink", "reference"])
    )


def mark(number: int) -> str:
    """A place holder for `place`, to be put into Markdown or plain text."""
    return f"{_OPEN}{number}{_CLOSE}"


def strip_marks(text: str) -> str:
    """`text` with our own place holders taken out, so that a document cannot forge one."""
    return _OURS.sub("", text)


def add_mark(text: str, marks: str) -> str:
    """Put place holders behind the last visible character; inside the last cell where it ends a table row."""
    body = text.rstrip()
    rest = text[len(body) :]
    if body.endswith("|"):
        return f"{body[:-1].rstrip()} {marks} |{rest}"
    if body.endswith("```"):
        return f"{body}\n\n{marks}{rest}"
    return f"{body}{marks}{rest}"


def numbers_to_marks(text: str, known: int) -> str:
    """Citation marks `[n]` with 1 <= n <= known as place holders; other brackets stay text."""

    def replace(match: re.Match[str]) -> str:
        numbers = [int(n) for n in re.findall(r"\d+", match[1])]
        if all(1 <= n <= known for n in numbers):
            return "".join(mark(n) for n in numbers)
        return match[0]

    return _MARK.sub(replace, strip_marks(text))


def to_html(text: str, place: Callable[[int], str], *, plain: bool) -> str:
    """Text or Markdown with place holders into HTML; `place(n)` gives the HTML that stands for mark n."""
    if plain:
        paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
        body = "".join(f"<p>{html.escape(part.strip()).replace(chr(10), '<br>')}</p>" for part in paragraphs)
    else:
        body = _rendered(text)
    return _PLACE.sub(lambda match: place(int(match[1])), _UNSEEN.sub("\ufffd", body))


def _rendered(text: str) -> str:
    """Markdown as HTML, its place holders in text alone: the language of a code block goes into an attribute."""
    markdown = _markdown()
    tokens = markdown.parse(_FORGED.sub("\ufffd", text))
    for token in tokens:
        if token.type == "fence":
            token.info = _AFTER_LANGUAGE.sub("", _PLACE.sub("", token.info).strip())
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def fences(text: str) -> list[tuple[int, int]]:
    """[start, end) spans of the fenced code blocks in Markdown, characters, the fences themselves included."""
    lines = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text))]
    blocks = [token.map for token in _markdown().parse(text) if token.type == "fence" and token.map]
    return [(lines[first], lines[end] if end < len(lines) else len(text)) for first, end in blocks]


def without_citations(text: str) -> str:
    """`text` with citation marks taken out."""
    return _MARK.sub("", strip_marks(text))
