"""Asking in the terminal."""

import json

import pytest

from rag import ask
from rag.errors import SettingRefused
from tests.fakes import ExactEmbedder
from tests.rag.engines import FIRST, SECOND
from tests.rag.pdfs import text_pdf


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """A function that runs the command and gives its exit status, output and errors."""
    monkeypatch.setattr(ask, "open_embedder", lambda *_, **__: ExactEmbedder())
    (tmp_path / "pump.pdf").write_bytes(FIRST)
    (tmp_path / "鸟.pdf").write_bytes(SECOND)
    (tmp_path / "empty.pdf").write_bytes(text_pdf([""]))
    (tmp_path / "cat.pdf").write_bytes(b"GIF89a")

    def run(*arguments):
        status = ask.main([str(tmp_path / one) if one.endswith(".pdf") else one for one in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_an_answer_comes_with_its_sources_and_pages(command):
    status, out, err = command("When was the red pump built?", "--pdf", "pump.pdf", "--pdf", "鸟.pdf")
    assert (status, err) == (0, "")
    assert "The red pump was built in 1931." in out
    assert "\n[1] pump.pdf, p. 1: “The red pump was built in 1931.”" in out


def test_json_is_one_line_with_pages_from_1(command):
    status, out, _ = command("When was the red pump built?", "--pdf", "pump.pdf", "--json")
    answer = json.loads(out)
    assert status == 0
    assert out.count("\n") == 1
    assert (answer["state"], answer["citations"][0]["page"]) == ("answer", 1)
    assert "1931" in answer["citations"][0]["quote"]


def test_a_folder_keeps_the_documents_and_only_those_named_are_asked(command, tmp_path):
    folder = str(tmp_path / "data")
    for _ in range(2):  # the second time it is there already
        assert command("When was the red pump built?", "--pdf", "pump.pdf", "--data-dir", folder)[0] == 0
    assert command("When was the red pump built?", "--pdf", "鸟.pdf", "--data-dir", folder)[1].count("pump.pdf") == 0
    assert "pump.pdf, p. 1" in command("When was the red pump built?", "--data-dir", folder)[1]


def test_a_renamed_copy_of_a_document_is_the_same_document(command, tmp_path):
    folder = str(tmp_path / "data")
    command("When was the red pump built?", "--pdf", "pump.pdf", "--data-dir", folder)
    (tmp_path / "copy.pdf").write_bytes(FIRST)
    status, out, err = command("When was the red pump built?", "--pdf", "copy.pdf", "--data-dir", folder)
    assert (status, err) == (0, "")
    assert "pump.pdf, p. 1" in out


def test_what_the_documents_do_not_hold_is_said(command):
    status, out, _ = command("Who won the 1987 chess olympiad in Dubai?", "--pdf", "pump.pdf")
    assert status == 1
    assert "The documents do not answer this question." in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("When?", "--pdf", "missing.pdf"), "there is no such file"),
        (("When?", "--pdf", "cat.pdf"), "cat.pdf: this is not a PDF"),
        (("When?", "--pdf", "empty.pdf"), "empty.pdf: "),
        (("  ", "--pdf", "pump.pdf"), "question"),
    ],
)
def test_what_goes_wrong_is_one_sentence(command, arguments, told):
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_an_embedder_that_cannot_be_had_is_told(command, monkeypatch):
    def missing(*_, **__):
        raise SettingRefused("There is no such embedder.")

    monkeypatch.setattr(ask, "open_embedder", missing)
    assert command("When?", "--pdf", "pump.pdf")[2] == "There is no such embedder.\n"


def test_without_documents_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit):
        ask.main(["When?"])
    assert "--pdf is required" in capsys.readouterr().err
