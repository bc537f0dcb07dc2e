"""Which document took the place of one that was replaced."""

import pytest

from tests.webui.fake_engine import FakeEngine, document
from webui.actions.turns import asked_again
from webui.conversation import Conversation, Exchange
from webui.session import Session
from webui.versions import newest_version

OLD, NEW = document("old.pdf"), document("new.pdf")


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.library = [NEW]
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("replaced", "asked", "newest"),
    [
        pytest.param({OLD.id: NEW.id}, OLD.id, NEW, id="replaced once"),
        pytest.param({OLD.id: "between", "between": NEW.id}, OLD.id, NEW, id="replaced twice"),
        pytest.param({OLD.id: "removed"}, OLD.id, None, id="its new version is gone"),
        pytest.param({OLD.id: "other", "other": OLD.id}, OLD.id, None, id="each of the other"),
        pytest.param({NEW.id: OLD.id}, NEW.id, None, id="still there"),
        pytest.param({}, OLD.id, None, id="removed"),
    ],
)
def test_the_newest_version_is_the_one_that_is_there(engine, replaced, asked, newest):
    engine.annotations.newer = replaced
    assert newest_version(engine, "", asked) == newest


def test_a_question_about_a_replaced_document_is_asked_again_of_its_new_version(engine):
    engine.annotations.newer = {OLD.id: NEW.id}
    session = Session("", "en")
    session.conversation = Conversation([Exchange(1, "How much?", only=OLD.id), Exchange(2, "And you?")])
    for exchange, only in ((1, NEW.id), (2, "")):
        asking = asked_again(engine, session, {"do": "retry", "exchange": exchange})
        assert asking is not None
        assert asking.only == only
