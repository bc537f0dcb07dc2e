"""Ligatures whose letters a font does not tell."""

from __future__ import annotations

import pytest

from rag.pdf.ligatures import restore
from rag.pdf.normalize import clean_word


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a dose of 65\x1585%, with Coe\x1ecients that di\x1ber", "a dose of 65–85%, with Coefficients that differ"),
        ("\x1cve strati\x1ced \x10random\x11 samples", "five stratified “random” samples"),
        ("could adversely af ect our business", "could adversely affect our business"),
        ("inef ective, Dif erentiated and suf icient", "ineffective, Differentiated and sufficient"),
        ("the Chief Financial Of icer of ers an of set", "the Chief Financial Officer offers an offset"),
    ],
)
def test_ligatures_become_their_letters(raw: str, text: str) -> None:
    restored = restore(raw)
    assert len(restored) == len(raw)
    assert " ".join(map(clean_word, restored.split())) == text


@pytest.mark.parametrize(
    "raw",
    [
        "a plate of ice, of set theory, of erosion, if any of it fits",
        "af ord, ef, dif and suf",
        "\x13\x14\x1b\x03of\x1babc",  # letters and digits are codes of glyphs
    ],
)
def test_other_text_stays(raw: str) -> None:
    assert restore(raw) == raw
