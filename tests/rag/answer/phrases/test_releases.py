"""Which release a change belongs to, in notes that list the changes of each below its heading."""

from __future__ import annotations

import pytest

from rag.answer.phrases.releases import asks_release, find_release, may_be_release
from rag.reader import Evidence
from rag.records import Source

NOTES = """Larkspur: Release Notes
Version 4.2 (14 May 2024)
• Support for Windows 7 was removed.
• The plug-in interface will be removed in version 5.0.
Version 4.0 (20 March 2023)
• Notebooks are encrypted; they cannot be opened by the old program.
• Support for 32-bit processors was dropped.
6.3版（2024年9月12日）
• 不再支持安卓7.0及以下系统。
• 新增语音转文字功能。
"""
SOURCE = Source(1, 1, "d", "larkspur.pdf", 0, 0, "1", (), NOTES, 0, len(NOTES), 1.0)
LINES = [Evidence(1, line, 1.0) for line in NOTES.splitlines() if line.startswith("•")]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which release of Larkspur dropped support for 32-bit processors?", "Version 4.0"),
        ("Which version removed support for Windows 7?", "Version 4.2"),
        ("In which version will the plug-in interface be removed?", None),  # the line says so itself
        ("哪个版本不再支持安卓7.0？", "6.3版"),
        ("从哪个版本开始有语音转文字功能？", "6.3版"),
        ("Which release dropped support for Linux?", None),
        ("Which version lets notebooks be opened by the old program?", None),  # the line says the opposite
        ("What was dropped?", None),
    ],
)
def test_a_change_is_of_the_release_above_it(question: str, expected: str | None) -> None:
    found = find_release(question, LINES, [SOURCE], lambda _: 1.0)
    assert (found and found[0].text[found[1] : found[2]]) == expected


@pytest.mark.parametrize(
    ("question", "text", "span", "expected"),
    [
        ("Which release dropped m68k?", "Support for m68k ended with AMD64 in etch.", "etch", True),
        ("Which release dropped m68k?", "Release 4 has AMD64 and no m68k.", "AMD64", False),
        ("Which release dropped m68k?", "Release 4 has AMD64 and no m68k.", "Release 4", True),
        ("Which port was dropped?", "Release 4 has AMD64 and no m68k.", "AMD64", True),
    ],
)
def test_only_what_may_be_a_release_is_one(question: str, text: str, span: str, *, expected: bool) -> None:
    start = text.index(span)
    assert may_be_release(question, text, start, start + len(span)) is expected


def test_a_release_is_asked_for_by_its_noun() -> None:
    assert asks_release("Which version of the manual is this?")
    assert not asks_release("Who released the album?")
