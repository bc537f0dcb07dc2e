"""One model at a time, loaded in the background; the previous one answers as long as memory allows."""

import gc
import threading
import time
import weakref

import pytest
import torch

import model.assemble
from model.background import BackgroundLoader, LoadCallbacks
from model.families import Precision
from model.load_settings import LoadSettings
from model.memory import needed_bytes
from rag.errors import SettingRefused
from rag.reader import PromptScopes, ReadRequest
from tests.model.cut import until_cut
from tests.model.reciting import recite
from tests.waiting import until


class Watcher:
    """Holds the reader in use, as the engine does, and keeps what it is told."""

    def __init__(self, **options):
        self.reader, self.said = None, []
        self.over = threading.Event()
        self.gate = threading.Event()  # cleared: loading waits where it first reports
        self.gate.set()
        callbacks = LoadCallbacks(
            release=self.release, on_progress=self.progress, on_ready=self.ready, on_failure=self.failed
        )
        self.loading = BackgroundLoader(callbacks, download=False, **options)

    def release(self):
        self.reader = None
        self.said.append("released")

    def progress(self, text):
        self.said.append(str(text))
        self.gate.wait(10)

    def ready(self, reader, why):
        self.reader = reader
        self.said.append("ready")
        self.over.set()

    def failed(self, text):
        self.said.append(f"failed: {text}")
        self.over.set()

    def load(self, folder):
        self.over.clear()
        self.loading.start(str(folder), "fp32")

    def wait(self):
        assert self.over.wait(60)
        while self.loading._busy_with:
            time.sleep(0.01)


@pytest.fixture
def watcher():
    return Watcher()


def said(reader):
    return "".join(until_cut(reader.answer(ReadRequest("what?", ()), threading.Event())))


def test_the_previous_model_answers_until_the_next_one_is_ready_if_both_fit(watcher, tmp_path):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    assert said(watcher.reader) == "first"
    previous, former = watcher.reader, weakref.ref(watcher.reader.model)
    assert watcher.loading.held_bytes() == previous.weight_bytes > 512 * 64 * 4 * 2
    watcher.said.clear()
    watcher.gate.clear()  # the loader waits before it looks for the checkpoint
    watcher.load(recite(tmp_path / "two", ["second"]))
    assert said(watcher.reader) == "first"
    del previous
    watcher.gate.set()
    watcher.wait()
    assert said(watcher.reader) == "second"
    assert "released" not in watcher.said
    gc.collect()
    assert former() is None


def test_the_previous_model_is_gone_before_the_next_one_is_loaded_if_both_do_not_fit(watcher, tmp_path, monkeypatch):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    former = weakref.ref(watcher.reader.model)
    alive = []
    place = model.assemble.place
    monkeypatch.setattr("model.assemble.place", lambda *call: alive.append(former() is not None) or place(*call))
    tight(watcher, monkeypatch)
    watcher.load(recite(tmp_path / "two", ["second"]))
    watcher.wait()
    assert said(watcher.reader) == "second"
    assert "released" in watcher.said
    assert alive
    assert not any(alive)


def test_what_the_previous_model_keeps_of_prompts_is_given_back_for_the_next_one(watcher, tmp_path, monkeypatch):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    previous = watcher.reader
    request = ReadRequest("what? " * 100, (), scopes=PromptScopes(conversation="ann"))
    assert list(previous.answer(request, threading.Event())) == ["first"]
    kept = previous.prompt_cache_usage.bytes
    assert kept
    assert watcher.loading.held_bytes() == previous.weight_bytes + kept
    watcher.load(recite(tmp_path / "two", ["second"]))
    watcher.wait()
    assert previous.prompt_cache_usage.bytes == watcher.reader.prompt_cache_usage.bytes == 0


def tight(watcher, monkeypatch):
    """As much free memory as the next model needs once the previous one is gone, and no more."""
    dimensions = model.assemble.dimensions_of(watcher.reader.model.config)
    needed = needed_bytes(dimensions, Precision.FP32, watcher.reader.context_tokens, torch.device("cpu"))
    monkeypatch.setattr("model.load.free_bytes", lambda device: needed - watcher.loading.held_bytes())


@pytest.mark.parametrize("damage", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_unusable_checkpoint_leaves_the_previous_model_in_use(watcher, tmp_path, monkeypatch, damage):
    """Also where both do not fit: all but the weights themselves is checked before the previous model is unloaded."""
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    tight(watcher, monkeypatch)
    (recite(tmp_path / "two", ["second"]) / damage).unlink()
    watcher.load(tmp_path / "two")
    watcher.wait()
    assert watcher.said[-1].startswith("failed: ")
    assert "released" not in watcher.said
    assert said(watcher.reader) == "first"


def test_a_model_that_does_not_fit_leaves_the_previous_one_in_use(watcher, tmp_path, monkeypatch):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    monkeypatch.setattr("model.load.free_bytes", lambda device: 1000)
    watcher.load(recite(tmp_path / "two", ["second"]))
    watcher.wait()
    assert "are free on cpu" in watcher.said[-1]
    assert said(watcher.reader) == "first"


def test_a_failure_after_the_previous_model_was_unloaded_says_so(watcher, tmp_path, monkeypatch):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    tight(watcher, monkeypatch)

    def place(*_):
        raise MemoryError

    monkeypatch.setattr("model.assemble.place", place)
    watcher.load(recite(tmp_path / "two", ["second"]))
    watcher.wait()
    assert watcher.said[-1].startswith("failed: Memory ran out while loading")
    assert "one · FP32 · cpu was unloaded before, because the two do not fit in memory together" in watcher.said[-1]


def test_loading_waits_for_the_answer_being_given(watcher, tmp_path, monkeypatch):
    watcher.load(recite(tmp_path / "one", ["on ", "and "], forever=True))
    watcher.wait()
    stop = threading.Event()
    answer = watcher.reader.answer(ReadRequest("what?", ()), stop)
    assert next(answer)
    tight(watcher, monkeypatch)
    watcher.load(recite(tmp_path / "two", ["second"]))
    until(lambda: watcher.said[-1] == "waiting for the previous model to finish its answer")
    assert watcher.reader is None
    stop.set()
    list(answer)
    del answer
    watcher.wait()
    assert said(watcher.reader) == "second"


def test_a_second_one_is_refused_while_one_is_loading(watcher, tmp_path):
    folder = recite(tmp_path / "one", ["first"])
    watcher.gate.clear()
    watcher.load(folder)
    for second in (lambda: watcher.loading.start("other"), watcher.loading.unload):
        with pytest.raises(SettingRefused, match=f"{folder} is being loaded: choose another"):
            second()
    assert "released" not in watcher.said
    watcher.gate.set()
    watcher.wait()
    assert said(watcher.reader) == "first"


def test_unloading_frees_the_model(watcher, tmp_path):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    former = weakref.ref(watcher.reader.model)
    watcher.loading.unload()
    gc.collect()
    assert former() is None
    assert watcher.loading.held_bytes() == 0


def test_loading_waits_for_its_turn_and_reports_an_unexpected_error(watcher, tmp_path, caplog):
    began = threading.Event()

    def wait():
        began.wait(10)
        raise ImportError("half made")

    watcher.loading._wait = wait
    watcher.load(tmp_path)
    assert watcher.said == [f"{tmp_path} is next"]
    began.set()
    watcher.wait()
    assert watcher.said[1:] == [
        f"failed: {tmp_path} could not be loaded because of an error in the program; see the log."
    ]
    assert "half made" in caplog.text


def test_a_failure_is_one_sentence_and_the_next_one_is_loaded(watcher, tmp_path):
    (tmp_path / "broken").mkdir()
    watcher.load(tmp_path / "broken")
    watcher.wait()
    assert watcher.said[-1].startswith("failed: ")
    assert "no config.json" in watcher.said[-1]
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    assert said(watcher.reader) == "first"


def test_a_model_is_loaded_on_the_device_that_was_named(tmp_path):
    folder = recite(tmp_path / "tiny", ["yes"])
    for device, told in (("cpu", "ready"), ("cuda:9", "failed: This machine has no cuda:9; choose auto or cpu.")):
        watcher = Watcher(settings=LoadSettings(device=device))
        watcher.load(folder)
        watcher.wait()
        assert watcher.said[-1] == told
        assert watcher.reader is None or watcher.reader.name.endswith(device)
