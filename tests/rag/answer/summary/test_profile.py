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
