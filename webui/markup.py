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


def without_marks(text: str) -> str:
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

    return _MARK.sub(replace, without_marks(text))


def to_html(text: str, place: Callable[[int], str], *, plain: bool) -> str:
    """Text or Markdown with place holders into HTML; `place(n)` gives the HTML that stands for mark n."""
    text = _UNSEEN.sub("\ufffd", text)
    if plain:
        paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
        body = "".join(f"<p>{html.escape(part.strip()).replace(chr(10), '<br>')}</p>" for part in paragraphs)
    else:
        body = str(_markdown().render(text))
    return _PLACE.sub(lambda match: place(int(match[1])), body)


def without_citations(text: str) -> str:
    """`text` with citation marks taken out."""
    return _MARK.sub("", without_marks(text))
