"""Page layouts for tests, made from rows of text without a PDF."""

from __future__ import annotations

import numpy as np

from rag.pdf.lines import lay_out

LETTER = (612.0, 792.0)
ENGLISH = (
    "The company recognises revenue when control of the promised goods is transferred to its customers in an "
    "amount that reflects the consideration it expects to receive in exchange for them."
)
CHINESE = "黑豹队的防守只丢了三百零八分，在联赛中排名第六，同时也以二十四次拦截领先国家橄榄球联盟，并且四次入选职业碗。"


def page_of(*rows, size=10.0, page=LETTER, line_end="\r\n"):
    """A layout from rows (left, top, text), in points; letters are half as wide as high, Chinese ones as wide.

    A row may have a size of its own behind its text.
    """
    text, spans, boxes, usual = "", [], [], size
    for left, top, line, *own in rows:
        x, size = left, own[0] if own else usual
        for word in line.split(" "):
            wide = [size if ord(c) > 0x2E80 else size / 2 for c in word]
            spans.append((len(text), len(text) + len(word)))
            boxes.append((x, top, x + sum(wide), top + size * 1.2))
            x += sum(wide) + size / 2
            text += word + " "
        text = text[:-1] + line_end
    scaled = np.array(boxes, np.float32).reshape(-1, 4) / np.array([*page, *page], np.float32)
    return lay_out(text, np.array(spans, np.int32).reshape(-1, 2), scaled, *page)


def paragraph(text, left=72.0, top=100.0, columns=80, step=13.0):
    """Rows for `page_of` of a text wrapped at this many columns."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > columns:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [(left, top + number * step, text) for number, text in enumerate([*lines, line])]
