"""What a person at the page may pick, and what the page is told of this machine."""

import pytest

from model.families import FAMILIES
from model.picking import ModelPicker, is_hub_id
from rag.errors import ModelMissing, SettingRefused
from tests.model.reciting import recite

ALLOWED = {"THUDM/chatglm3-6b", "zai-org/GLM-4-9B-0414", "a/b1", "Some-One/glm.x_y-1"}
REFUSED = [
    "", "glm", "/etc/passwd", "/etc", "../etc", "../../etc/passwd", "./model", "a/b/c", "a/..", "../a", "~/models",
    "~root", "file:///etc", "http://example.org/x", "a\\b", "C:/models", "a/b\n", "a/b\0", "a//b", "a/-b", "-a/b",
    "a/b.", "a--b/c", "模/型", "a/" + "b" * 300, "a/b c", "\ud800/x",
]  # fmt: skip


class FakeLoading:
    """Keeps what it was told to load."""

    def __init__(self, held=0):
        self.started, self.held = [], held

    def start(self, name, precision="auto", *, hub_only=False):
        self.started.append((name, precision, hub_only))

    def unload(self):
        self.started.append("unload")

    def held_bytes(self):
        return self.held


def picking(**changes):
    loading = FakeLoading(changes.pop("held", 0))
    return ModelPicker(loading, **{"download": False, "folders": False, **changes}), loading


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
    with pytest.raises(SettingRefused, match="only if the page is served to this machine alone") as refused:
        chooser.pick(name, "auto")
    assert loading.started == []
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("name", ["/no/such", "http://example.org/x", "x" * 3000, "a\0b"], ids=ascii)
def test_a_folder_that_does_not_exist_is_refused(name):
    chooser, loading = picking(folders=True, download=True)
    with pytest.raises(SettingRefused, match="neither a folder nor a hub id such as zai-org/GLM-4-9B-0414"):
        chooser.pick(name, "auto")
    assert loading.started == []


def test_a_folder_is_loaded_only_where_folders_may_be_named(tmp_path, monkeypatch):
    (tmp_path / "THUDM" / "chatglm3-6b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    chooser, loading = picking(folders=True)
    chooser.pick(str(tmp_path), "int4")
    chooser.pick("THUDM/chatglm3-6b", "auto")
    assert loading.started == [(str(tmp_path), "int4", False), ("THUDM/chatglm3-6b", "auto", False)]
    chooser, loading = picking(folders=False, download=True)
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
    alone, loading = picking(download=True, folders=True)
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


def test_every_known_model_is_offered_with_its_memory(hub_cache):
    chooser, _ = picking()
    offers = chooser.offers()
    assert {offer.title for offer in offers} == {family.name for family in FAMILIES}
    by_title = {offer.title: offer for offer in offers}
    assert by_title["chatglm-6b-int4"].int8_gb is None
    assert 6 < by_title["GLM-4-9B-0414"].int4_gb < by_title["GLM-4-9B-0414"].int8_gb < 13
    assert [offer.fits for offer in offers] == sorted((offer.fits for offer in offers), reverse=True)


def test_the_memory_of_the_model_in_use_counts_as_free(hub_cache, monkeypatch):
    monkeypatch.setattr("model.device.free_bytes", lambda device: 2 * 10**9)

    def fits(held):
        return {offer.title for offer in picking(held=held)[0].offers() if offer.fits}

    assert fits(0) == set()
    assert {"glm-edge-4b-chat", "chatglm3-6b"} < fits(8 * 10**9)


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
        picking(folders=True)[0].pick("/shut/model", "auto")
