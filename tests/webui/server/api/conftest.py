"""A library of three owners behind one server for each module of tests, and whoever asks it."""

import gc
from dataclasses import dataclass

import httpx
import pytest

from tests.webui.client import client_of
from tests.webui.fake_engine import FakeEngine, document
from webui.accounts.accounts import Accounts
from webui.server.api.tokens import ApiTokens

LOGINS = {"ann": "a", "bob": "b"}


def reset(engine):
    """The engine as new, but for its folder."""
    folder = engine.settings.data_dir
    engine.close()
    vars(engine).clear()
    engine.__init__(folder)
    engine.library = [document("shared.pdf"), document("canary-ann.pdf", "ann"), document("canary-bob.pdf", "bob")]
    engine.answer = [("Revenue grew.", (1,)), ("Costs fell.", (1,))]
    return engine


def start(folder, **changes):
    from webui.server.serve import Serving, serve

    engine = FakeEngine(folder)
    page, url = serve(engine, Serving(port=0, **changes))
    yield engine, url.rstrip("/")
    engine.close()
    page.close(verbose=False)
    gc.collect()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Served on this machine, without logins."""
    yield from start(tmp_path_factory.mktemp("alone") / "data")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Served with logins."""
    yield from start(tmp_path_factory.mktemp("shared") / "data", accounts=Accounts(quick=LOGINS))


@pytest.fixture
def engine(alone):
    return reset(alone[0])


@pytest.fixture
def url(alone):
    return alone[1]


@dataclass
class People:
    """Ann and Bob with their tokens, and somebody without."""

    engine: FakeEngine
    url: str
    ann: httpx.Client
    bob: httpx.Client
    stranger: httpx.Client
    tokens: ApiTokens


@pytest.fixture
def people(shared):
    engine, url = shared
    reset(engine)
    tokens = ApiTokens(engine.settings.data_dir)

    def client(token=""):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return client_of(url, headers=headers, timeout=60)

    with client(tokens.create("ann")) as ann, client(tokens.create("bob")) as bob, client() as stranger:
        yield People(engine, url, ann, bob, stranger, tokens)
