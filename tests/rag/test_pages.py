"""The pages of a library's documents: words, search, outline, pictures and the file, for their owner alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from rag.errors import FileRefused, LimitExceeded
from rag.pdf import render
from tests.rag import pdfs
from tests.rag.engines import add

TEXTS = ["The harbour bridge was opened in 1931.", "青石水库大坝高六十八米。水库向城市供水。", "The Harbour is old."]


@pytest.fixture
def engine(make):
    return make()


@pytest.fixture
def report(engine):
    add(engine, ("report.pdf", pdfs.text_pdf(TEXTS)), owner="ann")
    return engine.documents("ann")[0].id


def test_the_words_joined_are_the_text_of_the_page(engine, report):
    for page, text in enumerate(TEXTS):
        words = engine.pages.words("ann", report, page)
        assert "".join(word.text for word in words).strip() == text
        assert all(
            0 <= left < right <= 1 and 0 <= top < bottom <= 1 for left, top, right, bottom in (w.box for w in words)
        )


def test_a_text_is_found_on_its_pages_and_marked_there(engine, report):
    hits = engine.pages.find("ann", report, "HARBOUR")
    assert hits.pages == ((0, 1), (2, 1))
    assert hits.searched == 3
    ((box,),) = engine.pages.found_on("ann", report, 2, "harbour")
    (word,) = [word for word in engine.pages.words("ann", report, 2) if word.text.startswith("Harbour")]
    assert box == pytest.approx(word.box, abs=1e-3)
    assert engine.pages.find("ann", report, "水库").pages == ((1, 2),)
    assert len(engine.pages.found_on("ann", report, 1, "水库")) == 2


def test_a_search_ends_when_its_time_is_over(engine, report, monkeypatch):
    from rag import pages

    monkeypatch.setattr(pages, "FIND_PAGES", 1)
    monkeypatch.setattr(pages, "FIND_SECONDS", -1.0)
    assert engine.pages.find("ann", report, "harbour").searched == 0


@pytest.mark.parametrize("owner", ["", "ben"])
def test_nothing_is_given_to_another_owner(engine, report, owner):
    pages = engine.pages
    for ask in (
        lambda: pages.picture(owner, report, 0, 320), lambda: pages.words(owner, report, 0),
        lambda: pages.contents(owner, report), lambda: pages.find(owner, report, "harbour"),
        lambda: pages.found_on(owner, report, 0, "harbour"), lambda: pages.file(owner, report),
    ):  # fmt: skip
        with pytest.raises(FileRefused, match="no longer in the library"):
            ask()


@pytest.mark.parametrize("page", [-1, 3, 10**6])
def test_a_page_that_is_not_there(engine, report, page):
    for ask in (engine.pages.picture, engine.pages.words):
        with pytest.raises(FileRefused, match="has no page"):
            ask("ann", report, page, *([320] if ask == engine.pages.picture else []))


def test_a_picture_tells_how_wide_the_page_is(engine, report):
    picture = engine.pages.picture("ann", report, 0, 500)
    assert Image.open(io.BytesIO(picture.png)).width == engine.pages.picture_width(500) == 640
    assert picture.points_wide == pytest.approx(595.3, abs=1)


def test_the_file_is_what_was_added(engine):
    data = pdfs.encrypted(pdfs.text_pdf(TEXTS), "", owner="boss")
    add(engine, ("open.pdf", data))
    document = engine.documents("")[0].id
    assert engine.pages.file("", document).path.read_bytes() == data
    assert not engine.pages.contents("", document).protected


def test_a_file_that_only_an_empty_owner_password_opens_is_shown(engine):
    class Empty(str):
        """An empty password that pypdf does not take for none."""

        def __bool__(self) -> bool:
            return True

    data = pdfs.encrypted(pdfs.text_pdf(TEXTS), "reader", owner=Empty())
    add(engine, ("owner.pdf", data))
    document = engine.documents("")[0].id
    assert engine.pages.picture("", document, 0, 320).png.startswith(render.PNG)
    assert engine.pages.contents("", document).protected


def test_a_page_over_the_limit_is_not_drawn_for_each_viewer(engine, report, monkeypatch):
    tries = []

    def too_slow(pdf, page, width, limits, password=None):
        tries.append(width)
        raise LimitExceeded("Too slow")

    monkeypatch.setattr(render, "draw_page", too_slow)
    for _ in range(3):
        for wanted in (960, 1280):
            with pytest.raises(LimitExceeded, match="Too slow"):
                engine.pages.picture("ann", report, 0, wanted)
    assert tries == [960]
    with pytest.raises(LimitExceeded):  # a smaller picture may be quick enough
        engine.pages.picture("ann", report, 0, 320)
    assert tries == [960, 320]
