"""What a person at the page may pick, and what the page is told of this machine."""

import json
from pathlib import Path

import pytest

import model.speed
from model.families import FAMILIES, GB
from model.load_settings import LoadSettings
from model.picking import ModelPicker, is_hub_id
from model.servers import ConnectionFile
from rag.errors import ModelMissing, ServerUnreachable, SettingRefused
from tests.model.model_server import model_server
from tests.model.reciting import recite

ALLOWED = {"THUDM/chatglm3-6b", "zai-org/GLM-4-9B-0414", "a/b1", "Some-One/glm.x_y-1"}
REFUSED = [
    "", "glm", "/etc/passwd", "/etc", "../etc", "../../etc/passwd", "./model", "a/b/c", "a/..", "../a", "~/models",
    "~root", "file:///etc", "http://example.org/x", "a\\b", "C:/models", "a/b\n", "a/b\0", "a//b", "a/-b", "-a/b",
    "a/b.", "a--b/c", "模/型", "a/" + "b" * 300, "a/b c", "\ud800/x",
]  # fmt: skip


class FakeLoading:
    """Keeps what it was told to load."""

    settings = LoadSettings()

    def __init__(self, held=0):
        self.started, self.held = [], held

    def start(self, name, precision="auto", *, hub_only=False, adapter=None):
        self.started.append((name, precision, hub_only) if adapter is None else (name, precision, hub_only, adapter))

    def unload(self):
        self.started.append("unload")

    def held_bytes(self):
        return self.held

    def use(self, reader, why):
        self.started.append(reader)


class FakeDownloader:
    """Downloads at once, and keeps what."""

    state = None

    def __init__(self):
        self.downloaded = []

    def start(self, model, finished):
        self.downloaded.append(model)
        finished()


def picking(**changes):
    loading = FakeLoading(changes.pop("held", 0))
    others = changes.pop("downloader", FakeDownloader()), changes.pop("connections", ConnectionFile(Path("/no/such")))
    return ModelPicker(loading, *others, **{"download": False, "alone": False, **changes}), loading


def cached(hub_id, tmp_path):
    """A checkpoint in the hub's cache, as the hub's client lays it out."""
    folder = tmp_path / "hub" / "hub" / f"models--{hub_id.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    recite(folder / "snapshots" / "abc", ["yes"])


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub" / "hub"), raising=False)
    return tmp_path


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_hub_ids(name):
    assert is_hub_id(name)


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_other_names_are_not_hub_ids(name):
    assert not is_hub_id(name)


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in ("", "a/b\n")], ids=ascii)
def test_a_path_is_refused_whether_it_exists_or_not(name, hub_cache, monkeypatch):
    monkeypatch.chdir(hub_cache)
    chooser, loading = picking(download=True)
    with pytest.raises(SettingRefused, match="only if no other machine can reach the page") as refused:
        chooser.pick(name, "auto")
    assert loading.started == []
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("name", ["/no/such", "http://example.org/x", "x" * 3000, "a\0b"], ids=ascii)
def test_a_folder_that_does_not_exist_is_refused(name):
    chooser, loading = picking(alone=True, download=True)
    with pytest.raises(SettingRefused, match="neither a folder nor a hub id such as zai-org/GLM-4-9B-0414"):
        chooser.pick(name, "auto")
    assert loading.started == []


def test_a_folder_is_loaded_only_where_folders_may_be_named(tmp_path, monkeypatch):
    (tmp_path / "THUDM" / "chatglm3-6b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    chooser, loading = picking(alone=True)
    chooser.pick(str(tmp_path), "int4")
    chooser.pick("THUDM/chatglm3-6b", "auto")
    assert loading.started == [(str(tmp_path), "int4", False), ("THUDM/chatglm3-6b", "auto", False)]
    chooser, loading = picking(alone=False, download=True)
    with pytest.raises(SettingRefused, match="--model on the command line"):
        chooser.pick(str(tmp_path), "auto")
    chooser.pick("THUDM/chatglm3-6b", "auto")  # a hub id that is a folder here as well: only the hub is asked
    assert loading.started == [("THUDM/chatglm3-6b", "auto", True)]


def test_models_are_downloaded_only_if_allowed(hub_cache):
    chooser, loading = picking()
    with pytest.raises(
        ModelMissing, match=r"zai-org/GLM-4-9B-0414 is not on this machine: start with --allow-download"
    ):
        chooser.pick("zai-org/GLM-4-9B-0414", "auto")
    assert loading.started == []
    chooser, loading = picking(download=True)
    chooser.pick("zai-org/GLM-4-9B-0414", "bf16")
    assert loading.started == [("zai-org/GLM-4-9B-0414", "bf16", True)]


def test_on_a_shared_page_only_listed_models_are_downloaded(hub_cache):
    chooser, loading = picking(download=True)
    for name in ("somebody/else-9b", "somebody/glm-4-9b-chat"):
        with pytest.raises(SettingRefused, match="is not on the list"):
            chooser.pick(name, "auto")
    chooser.pick("zai-org/glm-4-9b-chat", "auto")
    assert loading.started == [("zai-org/glm-4-9b-chat", "auto", True)]
    alone, loading = picking(download=True, alone=True)
    alone.pick("somebody/else-9b", "auto")
    assert loading.started == [("somebody/else-9b", "auto", True)]


def test_models_on_this_machine_are_offered_first_and_picked_under_their_cached_id(hub_cache):
    cached("zai-org/GLM-4-9B-0414", hub_cache)
    chooser, loading = picking()
    first, *others = chooser.offers()
    assert (first.name, first.title, first.here) == ("zai-org/GLM-4-9B-0414", "GLM-4-9B-0414", True)
    assert not any(offer.here for offer in others)
    for name in (first.name, "THUDM/GLM-4-9B-0414", "GLM-4-9B-0414"):
        chooser.pick(name, "auto")
    assert loading.started == [(first.name, "auto", True)] * 3


def test_another_owners_model_of_a_known_name_is_another_model(hub_cache):
    cached("zai-org/GLM-4-9B-0414", hub_cache)
    chooser, _ = picking()
    with pytest.raises(ModelMissing, match="somebody/GLM-4-9B-0414 is not on this machine"):
        chooser.pick("somebody/GLM-4-9B-0414", "auto")


def test_the_page_does_not_learn_the_path_of_a_folder(tmp_path):
    folder = recite(tmp_path / "secret" / "mine", ["yes"])
    chooser, loading = picking(started_with=str(folder))
    offer = next(offer for offer in chooser.offers() if offer.name == "mine")
    assert offer.here
    assert "secret" not in repr(chooser.offers())
    chooser.pick("mine", "auto")
    assert loading.started == [(str(folder), "auto", False)]


def test_adapters_are_offered_with_their_model_and_loaded_with_it(tmp_path):
    base, adapters = recite(tmp_path / "secret" / "base", ["yes"]), tmp_path / "adapters"
    for name, trained_for in (("pumps", str(base)), ("lost", str(tmp_path / "gone")), ("unknown", "")):
        (adapters / name).mkdir(parents=True)
        (adapters / name / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        (adapters / name / "adapter_model.safetensors").write_bytes(b"")
        (adapters / name / "training.json").write_text(json.dumps({"base": "tiny", "model": trained_for, "pairs": 3}))
    chooser, loading = picking(adapters=adapters)
    offers = {offer.name: offer for offer in chooser.offers() if offer.name.startswith("adapter:")}
    assert {name: (offer.title, offer.here) for name, offer in offers.items()} == {
        "adapter:pumps": ("tiny · pumps", True), "adapter:lost": ("tiny · lost", False),
    }  # fmt: skip
    assert "secret" not in repr(chooser.offers())
    chooser.pick("adapter:pumps", "int4")
    assert loading.started == [(str(base), "int4", False, adapters / "pumps")]
    with pytest.raises(ModelMissing, match="lost was trained for tiny, which is not on this machine"):
        chooser.pick("adapter:lost", "auto")
    with pytest.raises(ModelMissing, match=r"adapter '\.\./pumps'"):
        chooser.pick("adapter:../pumps", "auto")


def test_every_known_model_is_offered_with_its_memory(hub_cache):
    chooser, _ = picking()
    offers = chooser.offers()
    assert {offer.title for offer in offers} == {family.name for family in FAMILIES if family.on_hub}
    by_title = {offer.title: offer for offer in offers}
    assert by_title["chatglm-6b-int4"].int8_gb is None
    assert 6 < by_title["GLM-4-9B-0414"].int4_gb < by_title["GLM-4-9B-0414"].int8_gb < 13
    assert [bool(offer.fits) for offer in offers] == sorted((bool(offer.fits) for offer in offers), reverse=True)


def test_the_memory_of_the_model_in_use_counts_as_free(hub_cache, monkeypatch):
    monkeypatch.setattr("model.device.free_bytes", lambda device: 5 * 10**8)

    def fits(held):
        return {offer.title: offer.fits for offer in picking(held=held)[0].offers() if offer.fits}

    assert fits(0) == {}
    assert {"GLM-4-9B-0414": "int4", "chatglm-6b": "int8"}.items() < fits(8 * 10**9).items()


@pytest.mark.parametrize("precision", ["fp64", "", "None", "x" * 5000])
def test_an_unknown_precision_is_refused(precision):
    chooser, loading = picking(download=True)
    with pytest.raises(SettingRefused, match="choose auto, bf16, int8, int4") as refused:
        chooser.pick("", precision)
    assert loading.started == []
    assert len(str(refused.value)) < 100


def test_an_empty_name_unloads_the_model():
    chooser, loading = picking()
    chooser.pick("  ", "auto")
    assert loading.started == ["unload"]


def test_an_inaccessible_folder_is_refused(monkeypatch):
    def shut(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_dir", shut)
    with pytest.raises(SettingRefused, match="neither a folder"):
        picking(alone=True)[0].pick("/shut/model", "auto")


def test_what_is_not_here_is_downloaded_before_it_is_loaded(hub_cache):
    downloads = FakeDownloader()
    chooser, loading = picking(download=True, downloader=downloads)
    chooser.pick("zai-org/GLM-4-9B-0414", "int4")
    assert downloads.downloaded == ["zai-org/GLM-4-9B-0414"]
    assert loading.started == [("zai-org/GLM-4-9B-0414", "int4", True)]
    cached("zai-org/GLM-4-9B-0414", hub_cache)
    chooser.pick("zai-org/GLM-4-9B-0414", "int4")
    assert len(downloads.downloaded) == 1


@pytest.mark.parametrize(
    ("free_gb", "bandwidth_gb", "title", "precision"),
    [
        (24, 40, "GLM-4-9B-0414", "int4"),
        (8, 40, "GLM-4-9B-0414", "int4"),
        (24, 200, "GLM-4-32B-0414", "int4"),
        (16, 200, "GLM-4-9B-0414", "int8"),
        (24, 10, "glm-edge-1.5b-chat", "int8"),
        (24, 1, "glm-edge-1.5b-chat", "int4"),
        (5, 40, "glm-edge-4b-chat", "int4"),
        (2, 40, None, None),
    ],
)
def test_the_strongest_model_that_fits_and_writes_at_reading_speed_is_recommended(
    hub_cache, monkeypatch, free_gb, bandwidth_gb, title, precision
):
    monkeypatch.setattr("model.device.free_bytes", lambda device: free_gb * GB)
    monkeypatch.setattr(model.speed, "bandwidth", lambda device: bandwidth_gb * GB)
    best = picking()[0].recommended()
    assert (best and best.offer.title, best and best.precision) == (title, precision)


# ---- servers


def test_a_server_is_asked_for_its_models_and_remembered(tmp_path):
    connections = ConnectionFile(tmp_path / "server.json")
    chooser, loading = picking(alone=True, connections=connections)
    with model_server({"id": "glm-4-9b", "max_model_len": 32_768}, {"id": "other"}, key="secret") as address:
        first, second = chooser.served(address, "secret")
        assert (first.name, first.context) == ("glm-4-9b", 32_768)
        assert second.context == 8_192
        chooser.connect(address, "secret", "glm-4-9b")
    (reader,) = loading.started
    assert reader.context_tokens == 32_768
    assert (tmp_path / "server.json").stat().st_mode & 0o777 == 0o600
    assert chooser.connection == connections.load()
    assert (chooser.connection.model, chooser.connection.key) == ("glm-4-9b", "secret")
    chooser.disconnect()
    assert chooser.connection is None
    assert loading.started[-1] == "unload"


def test_a_server_that_refuses_or_does_not_answer_is_a_sentence():
    chooser, loading = picking(alone=True)
    with model_server({"id": "glm"}, key="secret") as address:
        with pytest.raises(ServerUnreachable, match=r"status 401.*check the key"):
            chooser.served(address, "wrong")
        with pytest.raises(SettingRefused, match="does not offer 'nothing'"):
            chooser.connect(address, "secret", "nothing")
    with pytest.raises(ServerUnreachable, match="No model server answers at"):
        chooser.served(address, "secret")
    with model_server(key="") as address, pytest.raises(ServerUnreachable, match="offers no model"):
        chooser.served(address, "")
    for server in ("", "ftp://x", "file:///etc/passwd"):
        with pytest.raises(SettingRefused, match="takes an address"):
            chooser.served(server, "")
    for key in ("a\nb", "密钥", "x" * 5_000):
        with pytest.raises(SettingRefused, match="copy it again"):
            chooser.served("http://localhost:1", key)
    assert loading.started == []


def test_no_server_can_be_named_on_a_page_that_others_reach(tmp_path):
    chooser, _ = picking(alone=False, connections=ConnectionFile(tmp_path / "server.json"))
    for action in (
        lambda: chooser.served("http://localhost:1", ""),
        lambda: chooser.connect("http://a", "", "m"),
        chooser.disconnect,
    ):
        with pytest.raises(SettingRefused, match="no other machine can reach the page"):
            action()
    assert chooser.connection is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"server": 1}', "null"])
def test_a_damaged_connection_is_none(tmp_path, content):
    (tmp_path / "server.json").write_text(content)
    assert ConnectionFile(tmp_path / "server.json").load() is None
