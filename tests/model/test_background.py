"""One model at a time, loaded in the background, the former one gone before the next one comes."""

import gc
import threading
import time
import weakref

import pytest

from model.background import Loading, Told
from rag.errors import SettingRefused
from rag.reader import ReadRequest
from tests.model.reciting import recite


class Watcher:
    """Holds the reader in use, as the engine does, and keeps what it is told."""

    def __init__(self):
        self.reader, self.said = None, []
        self.over = threading.Event()
        self.gate = threading.Event()  # cleared: loading waits where it first tells
        self.gate.set()
        told = Told(release=self.release, progress=self.progress, ready=self.ready, failed=self.failed)
        self.loading = Loading(told, download=False)

    def release(self):
        self.reader = None
        self.said.append("released")

    def progress(self, text):
        self.said.append(text)
        self.gate.wait(10)

    def ready(self, reader, why):
        self.reader = reader
        self.said.append("ready")
        self.over.set()

    def failed(self, text):
        self.said.append("failed: " + text)
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
    return "".join(reader.answer(ReadRequest("what?", ()), threading.Event()))


def test_the_former_model_is_gone_before_the_next_one_is_looked_for(watcher, tmp_path):
    watcher.load(recite(tmp_path / "one", ["first"]))
    watcher.wait()
    assert said(watcher.reader) == "first"
    former = weakref.ref(watcher.reader.model)
    assert watcher.loading.held_bytes() == watcher.reader.weight_bytes > 512 * 64 * 4 * 2
    watcher.said.clear()
    alive = []
    watcher.progress = lambda text: alive.append((text, former() is not None))
    object.__setattr__(watcher.loading._told, "progress", watcher.progress)
    watcher.load(recite(tmp_path / "two", ["second"]))
    watcher.wait()
    assert said(watcher.reader) == "second"
    assert watcher.said == ["released", "ready"]
    assert (f"looking for {tmp_path / 'two'}", False) in alive


def test_an_answer_on_its_way_is_waited_for(watcher, tmp_path):
    watcher.load(recite(tmp_path / "one", ["on ", "and "], forever=True))
    watcher.wait()
    stop = threading.Event()
    answer = watcher.reader.answer(ReadRequest("what?", ()), stop)
    assert next(answer)
    watcher.load(recite(tmp_path / "two", ["second"]))
    time.sleep(0.7)
    assert watcher.said[-1] == "waiting for the former model to finish its answer"
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


def test_it_waits_until_it_may_begin_and_an_error_in_the_program_is_said(watcher, tmp_path, caplog):
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
