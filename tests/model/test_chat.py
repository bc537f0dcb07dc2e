"""The terminal chat and the list of models."""

import io
import os
import subprocess
import sys
import threading

import pytest

from model.chat import converse, main
from model.families import FAMILIES
from model.listing import list_models
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage
from model.serve import main as serve
from rag.reader import Sampling
from tests.model.cut import until_cut
from tests.model.reference import REPOSITORY
from tests.model.test_load import native


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    native(folder)
    return load_reader(folder, LoadSettings(precision="fp32", device="cpu"))


def test_each_answer_sees_the_conversation(reader):
    written = io.StringIO()
    sampling = Sampling(6, 0)
    converse(reader, sampling, io.StringIO("hello\n\nagain\n"), written)
    first = "".join(until_cut(reader.chat([ChatMessage("user", "hello")], sampling, threading.Event())))
    second = "".join(
        until_cut(
            reader.chat(
                [ChatMessage("user", "hello"), ChatMessage("assistant", first), ChatMessage("user", "again")],
                sampling,
                threading.Event(),
            )
        )
    )
    assert written.getvalue() == f"\n> {first} …\n\n> \n> {second} …\n\n> "


def test_ctrl_c_ends_the_answer_and_not_the_chat(reader, monkeypatch):
    def interrupted(*_, **__):
        yield "half an "
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "chat", interrupted)
    written = io.StringIO()
    converse(reader, Sampling(), io.StringIO("one\ntwo\n"), written)
    assert written.getvalue() == "\n> half an  …\n\n> half an  …\n\n> "


def test_an_error_is_shown_and_the_chat_goes_on(reader):
    written = io.StringIO()
    converse(reader, Sampling(5, 0), io.StringIO("x" * 5000 + "\nhi\n"), written)
    assert "and the reader has a context of 4,096" in written.getvalue()
    assert written.getvalue().count("\n> ") == 3


def test_command_line(tmp_path, monkeypatch, capsys):
    native(tmp_path)
    kept = tmp_path / "kept"
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    command = [str(tmp_path), "--precision", "int8", "--max-tokens", "3", "--temperature", "0", "--keep-in", str(kept)]
    assert main(command) == 0
    assert len(list(kept.iterdir())) == 1
    captured = capsys.readouterr()
    assert "INT8 as requested" in captured.out
    assert captured.err.endswith("loaded 100%\n")
    assert main([str(tmp_path / "nothing")]) == 1
    assert "neither a folder nor a hub id" in capsys.readouterr().err


@pytest.mark.parametrize("command", [main, serve])
def test_threads_of_openmp_sleep_while_they_wait(command, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("KMP_BLOCKTIME", "5")
    assert command([str(tmp_path / "nothing"), "--offline"]) == 1
    assert (os.environ.pop("OMP_WAIT_POLICY"), os.environ["KMP_BLOCKTIME"]) == ("PASSIVE", "5")


@pytest.mark.parametrize("command", [main, serve])
@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--device", "cuda:7", "This machine has no cuda:7"), ("--device", "toaster", "Unknown device 'toaster'"),
     ("--max-tokens", "0", "'0' is not a whole number from 1 on"), ("--max-tokens", "many", "'many' is not a whole")],
)  # fmt: skip
def test_a_device_or_length_that_cannot_be_is_refused_in_a_sentence(command, option, value, told, tmp_path, capsys):
    native(tmp_path)
    try:
        status = command([str(tmp_path), option, value])
    except SystemExit as exit:
        status = exit.code
    assert status in (1, 2)
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_every_known_model_is_listed():
    text = list_models("cpu", free=10_000_000_000)
    for family in FAMILIES:
        line = next(line for line in text.splitlines() if line.startswith(family.hub_id + " "))
        assert family.licence in line
    chatglm2 = next(line for line in text.splitlines() if line.startswith("zai-org/chatglm2-6b "))
    assert chatglm2.count("*") == 2  # INT8 and INT4 fit in 10 GB, BF16 does not
    assert "10.0 GB free" in text
    assert " 0.5K " in next(line for line in text.splitlines() if line.startswith("zai-org/glm-large "))


def test_importing_the_package_loads_no_torch():
    modules = "model, model.families, model.prompt, model.chat, model.serve"
    code = f"import sys, {modules}; assert not {{'torch', 'transformers'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_load_reader_is_exported_by_the_package():
    import model

    assert model.load_reader is load_reader
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = model.nothing_such
