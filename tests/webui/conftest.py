"""The page over a scripted engine, on a free port of this machine."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from app import prepare_environment
from rag.options import parse

prepare_environment(parse([], {}), os.environ)  # as the program does, before Gradio is imported

TESTS = Path(__file__).parents[1]


def pytest_collection_modifyitems(items):
    """Gradio does not close its event loops and sockets when a page is closed; a later test may collect them."""
    for item in items:
        if item.path.is_relative_to(TESTS / "webui") or item.path.is_relative_to(TESTS / "browser"):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def imported():
    """The page's modules; what they made is never garbage, so that no collection looks at it again."""
    import webui.server.serve  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def standing(tmp_path_factory, imported):
    """A scripted engine, served for all tests of a module, and its address."""
    from tests.webui.fake_engine import FakeEngine
    from webui.server.serve import Serving, serve

    engine = FakeEngine(tmp_path_factory.mktemp("standing") / "data")
    page, url = serve(engine, Serving(port=0))
    yield engine, url.rstrip("/")
    page.close(verbose=False)
    engine.close()
    gc.collect()


@pytest.fixture
def served(tmp_path, imported):
    """A function that serves an engine and gives the address; everything ends with the test."""
    from webui.accounts.accounts import Accounts
    from webui.server.serve import Serving, serve

    pages = []

    def start(engine, models=None, logins=None, **changes):
        """`logins`: passwords by user, as of `--auth`."""
        if logins:
            changes["accounts"] = Accounts(quick=logins)
        page, url = serve(engine, Serving(**{"port": 0, **changes}), models=models)
        pages.append((page, engine))
        return url.rstrip("/")

    yield start
    for page, engine in pages:
        page.close(verbose=False)
        engine.close()
    gc.collect()  # here, where Gradio's unclosed loops and sockets are expected, not in some later test
