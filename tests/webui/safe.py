"""Looks at HTML as a browser's parser would, and tells what an attacker could have got into it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# What the page's own markup consists of; a payload that came alive brings something else.
ELEMENTS = {
    *(
        "a",
        "article",
        "aside",
        "b",
        "bdi",
        "blockquote",
        "br",
        "button",
        "code",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "em",
    ),
    *(
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "input",
        "label",
    ),
    *(
        "li",
        "mark",
        "nav",
        "ol",
        "p",
        "path",
        "pre",
        "progress",
        "q",
        "rect",
        "s",
        "section",
        "small",
        "span",
        "strong",
    ),
    *("caption", "circle", "desc", "figcaption", "g", "text", "title"),
    *("option", "select", "summary", "svg", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("dd", "dialog", "div", "dl", "dt", "kbd", "textarea"),
}

NASTY = [
    "<script>window.__xss=1</script>",
    "<img src=x onerror=window.__xss=1>",
    '"><svg onload=window.__xss=1>',
    "' onmouseover='window.__xss=1' x='",
    "${window.__xss=1}",
    "`${window.__xss=1}`",
    "{{constructor.constructor('window.__xss=1')()}}",
    "{{{this}}}",
    "</textarea></title></style><iframe srcdoc='<script>parent.__xss=1</script>'>",
    "javascript:window.__xss=1",
    "[click](javascript:window.__xss=1)",
    "![x](http://127.0.0.1:9/leak.png)",
    "<http://127.0.0.1:9/auto>",
    "[a]: http://127.0.0.1:9/ref\n\n[a]",
    "&lt;script&gt;window.__xss=1&lt;/script&gt;",
    "<!-- --><style>@import 'http://127.0.0.1:9/css'</style>",
    "\ue0001\ue001 forged mark",
    "name\u202efdp.exe",
    "nul\x00 and escape\x1b[31m",
    "a/../../etc/passwd\\..\\x.pdf",
    "報告 📄 \U0001f468\u200d\U0001f469\u200d\U0001f467.pdf",
    "x" * 300 + ".pdf",
    "lone \ud800 surrogate",
    "&#xe000;9&#57345; forged mark in entities",
    "```python",
]


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "input", "br", "hr", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        self.text += data


def look(html: str) -> _Collector:
    """Parse, and fail on anything that could act or load. Returns the elements and the text shown."""
    html.encode("utf-8")  # what cannot be sent would break the whole page
    collector = _Collector()
    collector.feed(str(html))  # not Markup, whose pieces would be escaped again
    collector.close()
    assert collector.open == []
    for tag, attributes in collector.elements:
        assert tag in ELEMENTS, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "srcset", "formaction"):
                assert value is not None
                assert re.fullmatch(
                    r"logout|account|collections|document/\w+/pdf#page=\d+|c/[\w-]+(?:\.\w+)?", value
                ), (
                    tag,
                    name,
                    value,
                )
    return collector
