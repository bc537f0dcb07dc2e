"""Tags, replacements and introductions in the store."""

import pytest

from rag.errors import LimitExceeded
from rag.store.annotations import MAX_TAGS, Annotations
from tests.rag.engines import FIRST, SECOND, add
from tests.rag.pdfs import text_pdf
from tests.waiting import until

NEWER = text_pdf(["The herons have moved to the other lake."])


@pytest.fixture
def engine(make):
    engine = make()
    add(engine, ("shared.pdf", FIRST))
    add(engine, ("own.pdf", SECOND), owner="ann")
    return engine


def test_tags_belong_to_whoever_gave_them(engine):
    shared, own = engine.documents("ann")
    tags = engine.annotations
    tags.add_tag("ann", [shared.id, own.id], "  to   read ")
    tags.add_tag("bob", [shared.id, own.id], "mine")  # bob cannot see ann's document
    assert tags.tags("ann") == {shared.id: ("to read",), own.id: ("to read",)}
    assert tags.tags("bob") == {shared.id: ("mine",)}
    tags.remove_tag("ann", shared.id, "to read")
    assert tags.tags("ann") == {own.id: ("to read",)}
    engine.remove("", shared.id)
    assert tags.tags("bob") == {}


def test_too_many_and_too_long_tags_are_refused_and_change_nothing(engine):
    shared = engine.documents("")[0]
    tags: Annotations = engine.annotations
    with pytest.raises(LimitExceeded, match="41 characters, the limit is 40"):
        tags.add_tag("", [shared.id], "x" * 41)
    for number in range(MAX_TAGS):
        tags.add_tag("", [shared.id], f"tag {number}")
    with pytest.raises(LimitExceeded, match="can have 20 tags"):
        tags.add_tag("", [shared.id], "one more")
    assert len(tags.tags("")[shared.id]) == MAX_TAGS


def test_a_new_version_takes_the_place_and_the_tags_of_the_old_one(engine):
    old = engine.documents("ann")[1]
    engine.annotations.add_tag("ann", [old.id], "herons")
    engine.add("ann", "newer.pdf", NEWER, replaces=old.id)
    until(lambda: [known.name for known in engine.documents("ann")] == ["shared.pdf", "newer.pdf"])
    new = engine.documents("ann")[1]
    assert engine.annotations.replaced("ann") == {old.id: new.id}
    assert engine.annotations.replaced("bob") == {}
    until(lambda: engine.annotations.tags("ann") == {new.id: ("herons",)})  # soon after the old one has left the list


def test_nobody_replaces_a_document_of_somebody_else(engine):
    shared = engine.documents("")[0]
    engine.add("ann", "newer.pdf", NEWER, replaces=shared.id)
    until(lambda: len(engine.documents("ann")) == 3)
    assert shared.id in [known.id for known in engine.documents("bob")]
