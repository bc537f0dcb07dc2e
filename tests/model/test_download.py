"""A download in a child process: paused, resumed, cancelled, and what is said when it fails."""

import os
import threading

import pytest

from model.download import Downloader
from model.hub import cached_hub_id
from rag.errors import SettingRefused
from tests.model.checkpoints import publish
from tests.model.hub_server import hub_of
from tests.model.reference import write_native_tokenizer
from tests.waiting import until

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(tmp_path):
    folder = publish("chatglm3", tmp_path / "repository")
    write_native_tokenizer(folder / "tokenizer.json")
    with hub_of("THUDM/tiny", folder) as server:
        yield server
        server.go_on.set()


@pytest.fixture
def downloader(hub, tmp_path):
    """A downloader whose child uses the hub on this machine."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))},
        "HF_ENDPOINT": hub.address,
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    made = Downloader(environment, lambda: None)
    yield made
    made.cancel()


def large_file(hub):
    return max(hub.folder.iterdir(), key=lambda file: file.stat().st_size).name


def test_a_paused_download_can_be_resumed(hub, downloader, tmp_path):
    finished, name = threading.Event(), large_file(hub)
    hub.hold_after[name] = 1_000
    downloader.start("THUDM/tiny", finished.set)
    until(lambda: any(path.endswith(name) and method == "GET" for method, path, _ in hub.requests))
    downloader.pause()
    assert downloader.state.paused
    assert cached_hub_id("THUDM/tiny", cache_dir=tmp_path / "cache") is None
    hub.go_on.set()
    downloader.resume()
    assert finished.wait(120)
    assert downloader.state is None
    assert cached_hub_id("THUDM/tiny", cache_dir=tmp_path / "cache") == "THUDM/tiny"


def test_a_cancelled_download_is_forgotten_and_never_finishes(hub, downloader):
    finished = threading.Event()
    hub.hold_after[large_file(hub)] = 10
    downloader.start("THUDM/tiny", finished.set)
    until(lambda: downloader.state is not None and hub.requests)
    downloader.cancel()
    assert downloader.state is None
    hub.go_on.set()
    assert not finished.wait(1)


def test_a_failure_is_told_in_a_sentence_and_can_be_tried_again(hub, downloader):
    finished = threading.Event()
    downloader.start("THUDM/missing", finished.set)
    until(lambda: downloader.state is not None and downloader.state.failed)
    assert "The hub has no THUDM/missing" in str(downloader.state.failed)
    assert not finished.is_set()
    downloader.resume()
    until(lambda: downloader.state is not None and downloader.state.failed)


def test_one_download_at_a_time(hub, downloader):
    hub.hold_after[large_file(hub)] = 10
    downloader.start("THUDM/tiny", lambda: None)
    with pytest.raises(SettingRefused, match="THUDM/tiny is being downloaded"):
        downloader.start("THUDM/other", lambda: None)
