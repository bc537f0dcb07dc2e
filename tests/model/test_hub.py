"""Downloading, against a hub on this machine: what is fetched, kept, resumed, checked, and said when it fails."""

import errno
import os
import socket
import subprocess
import sys

import huggingface_hub.constants
import pytest

from model.families import FAMILIES
from model.hub import (
    _check_disk,
    _error_for,
    cached_hub_id,
    find_checkpoint,
    pinned_revision,
    unneeded_files,
    verify_sha256,
)
from rag.errors import CheckpointRefused, ModelMissing
from tests.model.checkpoints import publish
from tests.model.hub_server import hub_of
from tests.model.reference import REPOSITORY, write_native_tokenizer


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that holds `THUDM/tiny`, and this process told to use it."""
    folder = publish("chatglm3", tmp_path / "repository")
    write_native_tokenizer(folder / "tokenizer.json")
    (folder / "modeling_chatglm.py").write_text("raise SystemExit")
    (folder / "training_args.bin").write_bytes(b"pickled")
    with hub_of("THUDM/tiny", folder) as server:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # other tests may have started it so
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", True)
        yield server


@pytest.fixture
def no_sockets(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_only_data_is_downloaded_and_progress_is_reported(hub, tmp_path):
    told = []
    folder = find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache", progress=lambda *now: told.append(now))
    names = {path.name for path in folder.iterdir()}
    assert "config.json" in names
    assert "tokenizer.json" in names
    assert not {"modeling_chatglm.py", "training_args.bin"} & names
    done, total = told[-1]
    assert done == total == sum(path.stat().st_size for path in folder.iterdir())
    assert told == sorted(told)


def test_a_cached_checkpoint_is_not_requested_again(hub, tmp_path):
    folder = find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache")
    hub.requests.clear()
    assert find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache") == folder
    assert find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache", offline=True) == folder
    assert hub.requests == []


@pytest.mark.parametrize(("cached", "asked"), [("THUDM", "zai-org"), ("zai-org", "THUDM"), ("THUDM", "")])
def test_a_known_checkpoint_is_found_under_either_name_of_its_makers(hub, tmp_path, cached, asked):
    hub.repository = f"{cached}/chatglm3-6b"
    folder = find_checkpoint(hub.repository, cache_dir=tmp_path / "cache")
    hub.requests.clear()
    name = f"{asked}/chatglm3-6b".removeprefix("/")
    assert find_checkpoint(name, cache_dir=tmp_path / "cache") == folder
    assert find_checkpoint(name, cache_dir=tmp_path / "cache", offline=True) == folder
    assert cached_hub_id(name, cache_dir=tmp_path / "cache") == hub.repository
    with pytest.raises(ModelMissing):
        find_checkpoint("somebody/chatglm3-6b", cache_dir=tmp_path / "cache", offline=True)
    assert hub.requests == []


def test_an_interrupted_download_resumes(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    shard = "model-00001-of-00002.safetensors"
    hub.break_after[shard] = 50_000
    folder = find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache")
    assert (folder / shard).read_bytes() == (hub.folder / shard).read_bytes()
    ranges = [asked for method, path, asked in hub.requests if method == "GET" and path.endswith(shard)]
    assert ranges == ["", "bytes=50000-"]


def test_a_damaged_file_is_refused_and_fetched_again(hub, tmp_path):
    hub.garble.add("model-00002-of-00002.safetensors")
    with pytest.raises(CheckpointRefused, match=r"model-00002-of-00002.safetensors arrived damaged \(SHA-256"):
        find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache")
    hub.garble.clear()
    folder = find_checkpoint("THUDM/tiny", cache_dir=tmp_path / "cache")
    verify_sha256(folder / "model-00002-of-00002.safetensors")


def test_a_name_unknown_to_the_hub_is_refused(hub, tmp_path):
    with pytest.raises(ModelMissing, match="The hub has no THUDM/none; check the name"):
        find_checkpoint("THUDM/none", cache_dir=tmp_path)


def test_an_unreachable_hub_is_an_error_with_the_way_out(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ModelMissing, match="name a mirror in HF_ENDPOINT"):
        find_checkpoint("THUDM/tiny", cache_dir=tmp_path)


def test_offline_opens_no_socket(tmp_path, no_sockets):
    with pytest.raises(ModelMissing, match=r"downloads are off: start once with --allow-download .* a folder"):
        find_checkpoint("GLM-4-9B-0414", cache_dir=tmp_path, offline=True)


def test_a_pinned_commit_is_taken_from_its_makers_alone():
    (family,) = [family for family in FAMILIES if family.revision]
    for owner in ("THUDM", "zai-org"):
        assert pinned_revision(f"{owner}/{family.name}") == family.revision
    assert pinned_revision(f"somebody/{family.name}") is None
    assert pinned_revision("THUDM/GLM-4-9B-0414") is None


def test_another_owners_model_of_a_pinned_name_is_fetched_as_it_is(hub, tmp_path):
    hub.repository = "somebody/glm-4-9b-chat"
    folder = find_checkpoint(hub.repository, cache_dir=tmp_path / "cache")
    assert not any("/revision/bd8234" in path or "/tree/bd8234" in path for _, path, _ in hub.requests)
    assert cached_hub_id(hub.repository, cache_dir=tmp_path / "cache") == hub.repository
    assert find_checkpoint(hub.repository, cache_dir=tmp_path / "cache", offline=True) == folder


def test_a_pinned_commit_is_asked_for(hub, tmp_path):
    hub.repository = "zai-org/glm-4-9b-chat"
    with pytest.raises(ModelMissing):  # this hub has another one
        find_checkpoint("glm-4-9b-chat", cache_dir=tmp_path / "cache")
    assert any("bd8234" in path for _, path, _ in hub.requests)


@pytest.mark.parametrize("name", ["no-such-folder", "a/b/c", "", "/nowhere/at/all"])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(name, no_sockets):
    with pytest.raises(ModelMissing, match="neither a folder nor a hub id"):
        find_checkpoint(name)


def test_the_mirror_in_the_environment_is_used(hub, tmp_path):
    """HF_ENDPOINT is read by the library when it is first imported, so in a process of its own."""
    code = (
        "from pathlib import Path; from model.hub import find_checkpoint;"
        f"print(find_checkpoint('THUDM/tiny', cache_dir=Path({str(tmp_path)!r})))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().startswith(str(tmp_path))
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("files", "left_out"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["pytorch_model.bin"]),
        (["pytorch_model-00001-of-00002.bin", "training_args.bin"], ["training_args.bin"]),
        (
            ["model-00001-of-00002.safetensors", "pytorch_model.bin.index.json", "consolidated.safetensors"],
            ["pytorch_model.bin.index.json", "consolidated.safetensors"],
        ),
    ],
)
def test_weights_are_downloaded_in_one_format_only(files, left_out):
    assert unneeded_files(files) == left_out


def test_a_full_disk_is_seen_before_the_download(tmp_path):
    with pytest.raises(ModelMissing, match=r"takes 1000000\.0 GB and .* GB are free"):
        _check_disk(10**15, tmp_path / "blobs" / "x")


def test_a_disk_that_fills_up_is_named():
    assert "No space left" in str(_error_for("a/b", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
