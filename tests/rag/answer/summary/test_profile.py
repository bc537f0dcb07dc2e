"""What a summary says of a document besides its sentences."""

from dataclasses import replace

from rag.answer.summary.profile import SECTION_CHARACTERS, profile_of
from rag.records import Heading, Passage
from tests.webui.fake_engine import document

LONG = "Item 10. Directors, Executive Officers and Corporate Governance of the Company"


def sections_of(outline: list[Heading], *texts: str, pages: int = 100, count: int = 9) -> tuple[tuple[str, int], ...]:
    passages = [Passage(text, 0, len(text), 0, 0) for text in texts]
    return profile_of(replace(document("a.pdf"), pages=pages), outline, passages, count, chinese=False).sections


def test_a_long_heading_is_cut_at_a_word_and_says_so():
    titles = ("Item 1. Business", "Item 7. Analysis", LONG)
    sections = sections_of([Heading(title, 1, page) for page, title in enumerate(titles)])
    assert [page for _, page in sections] == [0, 1, 2]
    shown = sections[-1][0]
    assert len(shown) <= SECTION_CHARACTERS
    assert shown.endswith("…")
    assert LONG.startswith(shown[:-1])
    assert LONG[len(shown) - 1] == " "


def test_of_many_sections_the_longest_are_listed_in_their_order():
    outline = [Heading(title, 1, page) for title, page in (("Terms", 0), ("Scope", 9), ("Notices", 10), ("Law", 11))]
    assert sections_of(outline, pages=30, count=2) == (("Terms", 0), ("Law", 11))


def test_the_items_of_a_report_are_listed_and_not_its_parts_and_notes():
    outline = [Heading("PART I", 1, 2), Heading("Item 1. Business", 2, 2), Heading("Item 1A. Risk Factors", 2, 9)]
    outline += [Heading("PART II", 1, 20), Heading("Item 8. Statements", 2, 20), Heading("Note 1. Basis", 2, 25)]
    outline += [Heading("PART III", 1, 60)]
    assert sections_of(outline) == (("Item 1. Business", 2), ("Item 1A. Risk Factors", 9), ("Item 8. Statements", 20))


def test_rows_that_begin_with_a_number_of_years_are_no_sections():
    assert sections_of([], "1 Year\n2 Years\n3 Years Abstentions\n71,330,000\n") == ()
    assert len(sections_of([], "1 Scope\n2 Terms\n3 Payment\n")) == 3
