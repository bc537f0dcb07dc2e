"""What a summary says of a document besides its sentences."""

from rag.answer.summary.profile import SECTION_CHARACTERS, profile_of
from rag.records import Passage
from tests.webui.fake_engine import document

LONG = "Item 10. Directors, Executive Officers and Corporate Governance of the Company"


def test_a_long_heading_is_cut_at_a_word_and_says_so():
    headings = ("Item 1. Business", "Item 7. Analysis", LONG)
    passages = [Passage("Text.", 0, 5, page, page, (heading,)) for page, heading in enumerate(headings)]
    sections = profile_of(document("a.pdf"), None, passages, 9, chinese=False).sections
    assert [page for _, page in sections] == [0, 1, 2]
    shown = sections[-1][0]
    assert len(shown) <= SECTION_CHARACTERS
    assert shown.endswith("…")
    assert LONG.startswith(shown[:-1])
    assert LONG[len(shown) - 1] == " "


def test_rows_that_begin_with_a_number_of_years_are_no_sections():
    rows = "1 Year\n2 Years\n3 Years Abstentions\n71,330,000\n"
    passages = [Passage(rows, 0, len(rows), 0, 0)]
    assert profile_of(document("votes.pdf"), None, passages, 9, chinese=False).sections == ()
    headings = "1 Scope\n2 Terms\n3 Payment\n"
    passages = [Passage(headings, 0, len(headings), 0, 0)]
    assert len(profile_of(document("lease.pdf"), None, passages, 9, chinese=False).sections) == 3
