"""What stands around sources is added where it fits: whole documents before sections, nothing twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.answer.surroundings import Surroundings
from rag.records import Source
from rag.store.rows import StoredPassage


def row(number: int, document: str = "a", heading: str = "One") -> StoredPassage:
    """A passage of two words; two of them on each page."""
    text, page = f"word{number:02} next.\n", number // 2
    start = number * len(text)
    return StoredPassage({
        "id": number + 100 * ord(document), "document_id": document, "owner": "", "name": f"{document}.pdf",
        "digest": b"", "label": str(page), "text": text, "start": start, "stop": start + len(text),
        "first_page": page, "last_page": page, "heading": f'["{heading}"]',
    })  # fmt: skip


DOCUMENTS = {
    "a": [row(n, "a", "One" if n < 6 else "Two") for n in range(10)],
    "b": [row(n, "b", "One" if n < 2 else "Two") for n in range(4)],
}


def surrounded(sources: list[Source], room: int) -> tuple[Source, ...]:
    made = Surroundings(
        room, lambda text: len(text.split()), DOCUMENTS.__getitem__, source_tokens=1, source_characters=1_000
    )
    return made.added_to(sources)


def found(*places: tuple[str, int]) -> list[Source]:
    return [DOCUMENTS[document][n].as_source(at, 1.0, ()) for at, (document, n) in enumerate(places, 1)]


def test_a_whole_document_is_added_page_by_page():
    sources = surrounded(found(("b", 1)), 100)
    assert [(one.number, one.first_page, len(one.text.split())) for one in sources] == [(1, 0, 2), (2, 0, 2), (3, 1, 4)]


def test_where_the_document_does_not_fit_the_section_of_the_passage_is_added():
    sources = surrounded(found(("a", 7)), 3 + 9)
    assert {one.heading for one in sources} == {("Two",)}
    assert sum(len(one.text.split()) for one in sources) == 8


def test_without_room_nothing_is_added():
    assert len(surrounded(found(("a", 7), ("b", 0)), 6)) == 2


@given(st.sets(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), min_size=1), st.integers(0, 80))
def test_nothing_is_added_twice_or_beyond_the_room(places, room):
    given_sources = found(*sorted(places))
    sources = surrounded(given_sources, room)
    words = [word for one in sources for word in one.text.split() if word != "next."]
    each = [f"{one.document_id}{word}" for one in sources for word in one.text.split() if word != "next."]
    assert len(words) == len(each) == len(set(each))
    assert [one.number for one in sources] == list(range(1, len(sources) + 1))
    used = sum(len(one.text.split()) + 1 for one in sources)
    assert used <= max(room, sum(len(one.text.split()) + 1 for one in given_sources))
