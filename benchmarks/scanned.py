"""Pages as a scanner gives them, made from PDFs with a text, and the share of that text that OCR gets right."""

from __future__ import annotations

import io
import re

import numpy as np
import pypdfium2
from PIL import Image, ImageFilter


def scan_of(pdf: bytes, *, dots_per_inch: int = 200, angle: float = 0.0, noise: float = 0.0, turns: int = 0) -> bytes:
    """The PDF as a scanner gives it: pictures of its pages without a text.

    `angle`: degrees by which the paper lies askew; `noise`: standard deviation of the grey values, 0 to 255, which are
    also blurred; `turns`: quarter turns against the clock.
    """
    pictures = []
    for page in pypdfium2.PdfDocument(pdf):
        image: Image.Image = page.render(scale=dots_per_inch / 72).to_pil().convert("L")
        if angle:
            image = image.rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor=255)
        if noise:
            image = image.filter(ImageFilter.GaussianBlur(0.8))
            grey = (
                np.asarray(image, np.float32) * 0.8 + 40 + np.random.default_rng(7).normal(0, noise, image.size[::-1])
            )
            image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
        pictures.append(image.rotate(90 * turns, expand=True))
    file = io.BytesIO()
    pictures[0].save(file, "PDF", save_all=True, append_images=pictures[1:], resolution=dots_per_inch)
    return file.getvalue()


def share_right(found: str, expected: str) -> float:
    """1 - the character error rate: Levenshtein distance over the length of what was expected.

    Spaces beside Chinese and between lines are no characters: OCR sees no spaces, only distances.
    """
    found, expected = (_comparable(text) for text in (found, expected))
    row = np.arange(len(found) + 1)
    letters = np.array(list(found), dtype="U1")
    for count, letter in enumerate(expected, 1):
        least = np.minimum(row[1:] + 1, row[:-1] + (letters != letter))
        least = np.concatenate([[count], least])
        row = np.minimum.accumulate(least - np.arange(len(least))) + np.arange(len(least))
    return 1 - float(row[-1]) / max(len(expected), 1)


def _comparable(text: str) -> str:
    text = " ".join(text.split())
    return re.sub(r"(?<=[^\x00-\u2fff\uff00-\uffef]) | (?=[^\x00-\u2fff])|(?<=[\u3000-\u303f\uff00-\uffef]) ", "", text)
