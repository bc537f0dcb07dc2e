"""What is sent of a long list of documents: the rows that changed, and the whole list where that is less work."""

from dataclasses import replace

import pytest

from tests.webui.fake_engine import FakeEngine, document
from webui.listing import Listing, Order
from webui.session import Session
from webui.views.documents import documents_changes, documents_html


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [document(f"{n:03}.pdf") for n in range(200)]
    return engine


def test_one_change_among_many_documents_sends_one_row(engine):
    session = Session("", "en")
    whole = documents_html(engine, session)
    assert documents_changes(engine, session) is None
    engine.library[70] = replace(engine.library[70], pages=3)
    changed = documents_changes(engine, session)
    assert changed.count("<li") == 1
    assert "070.pdf" in changed
    assert len(changed) < len(whole) / 20


def test_a_new_document_comes_after_the_one_before_it(engine):
    session = Session("", "en")
    session.listing.order = Order.NAME
    documents_html(engine, session)
    engine.library.append(document("0705.pdf"))
    del engine.library[3]
    changed = documents_changes(engine, session)
    assert f'data-after="{engine.library[69].id}"' in changed
    assert f'data-gone="{document("003.pdf").id}"' in changed


def test_another_order_or_many_changes_send_the_whole_list(engine):
    session = Session("", "en")
    documents_html(engine, session)
    session.listing.order = Order.NEWEST
    assert documents_changes(engine, session).count("<li") == 200
    session.conversation.left_out = {known.id for known in engine.library}
    assert documents_changes(engine, session).count("<li") == 200


def test_each_drawing_names_the_one_it_changes():
    listing = Listing()
    rows = [document(f"{n}.pdf") for n in range(9)]
    first = listing.draw(rows)
    second = listing.draw([*rows[:8], document("new.pdf")])
    assert (first.base, second.base) == (None, first.number)
    assert [row.name for row, _ in second.rows] == ["new.pdf"]
    assert second.gone == (rows[8].id,)
    listing.forget_sent()
    assert listing.draw(rows).base is None
