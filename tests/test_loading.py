"""`python app.py --model NAME` when the model cannot be had: one sentence each, and quotes go on."""

import json
import os

import pytest
import torch
from prometheus_client import generate_latest

import app
from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.options import parse
from rag.reader import Turn
from rag.records import Piece, Reading
from rag.settings import Settings
from tests.fakes import ExactEmbedder
from tests.model.reciting import recite
from tests.model.test_hub import hub  # noqa: F401 - a fixture
from tests.rag.pdfs import text_pdf
from tests.waiting import until

TEXT = "The red pump was built in 1931. It stands in Gdansk."
ANSWER = "red pump was built in 1931"


@pytest.fixture
def engine(tmp_path):
    with Engine(Settings(data_dir=tmp_path / "data"), embedder=ExactEmbedder, reader=QuoteReader()) as opened:
        opened.add("", "pump.pdf", text_pdf([TEXT]))
        until(lambda: not opened.jobs("") and opened.documents(""))
        yield opened


def load(engine, *arguments):
    """What the page says of the reader once loading is over."""
    options = parse(list(arguments), {})
    loading = app.loading_for(engine, options)
    loading.start(options.model, options.precision)
    until(lambda: not loading._busy_with)
    return next(choice for choice in engine.choices() if choice.what == "reader")


def answers(engine):
    _, *pieces, _ = engine.ask("", "When was the red pump built?", None, ())
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece))


class Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))


def of_a_later_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "glm9_next"}))


def code_in_a_bin(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Code()}, folder / "pytorch_model.bin")


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_weights, "holds no weights"),
        (cut, "is damaged or not a weight file; download it again"),
        (of_another_kind, "architecture is llama, not a GLM; choose a GLM checkpoint"),
        (of_a_later_kind, "does not know the architecture glm9_next; choose another"),
        (code_in_a_bin, "contains program code and was not opened; choose a checkpoint in safetensors"),
        (no_tokenizer, "has no tokenizer"),
    ],
)
def test_a_checkpoint_that_cannot_be_used(engine, tmp_path, monkeypatch, damage, message):
    monkeypatch.chdir(tmp_path)
    folder = recite(tmp_path / "tiny", ["never said"])
    damage(folder)
    refused(engine, load(engine, "--model", str(folder)), message)
    assert not (tmp_path / "ran").exists()


def test_the_context_option_reaches_the_model(engine, tmp_path):
    folder = str(recite(tmp_path / "tiny", ["yes"]))
    choice = load(engine, "--model", folder, "--context", "131073")
    refused(engine, choice, "has a context of 131,072 tokens, less than the 131,073 of --context")
    choice = load(engine, "--model", folder, "--context", "3000", "--kv-precision", "int8")
    assert engine.questions.reader.context_tokens == 3000
    assert "keys and values in INT8" in str(choice.why)


def test_a_follow_up_reads_only_what_is_new(engine, tmp_path):
    """From the page's question to the model's cache: the sources are read once, for whoever sees them."""
    engine.add("", "valves.pdf", text_pdf([f"The valve {n} is blue and weighs {n} kg. " * 20 for n in range(8)]))
    until(lambda: not engine.jobs(""))
    load(engine, "--model", str(recite(tmp_path / "tiny", ["It weighs 3 kg [1]."])), "--prompt-cache-mb", "50")

    def read(question, person, *history):
        events = list(engine.ask("", question, None, history, person=person))
        return next(event for event in events if isinstance(event, Reading))

    first, following = "How much does the valve 3 weigh?", "And which colour has the valve 3?"
    assert read(first, "ann").cached_tokens == 0
    again = read(following, "ann", Turn(first, "It weighs 3 kg."))
    assert again.cached_tokens > 0.6 * again.tokens
    others = read(first, "ben")
    assert others.cached_tokens > 0.6 * others.tokens
    metrics = generate_latest(engine.activity.registry).decode()
    bytes_kept = next(line for line in metrics.splitlines() if line.startswith("ask_prompt_cache_bytes "))
    assert 0 < float(bytes_kept.split()[1]) <= 50_000_000
    engine.remove("", engine.documents("")[0].id)
    assert engine.questions.prompt_cache().bytes == 0


def test_not_enough_memory_is_seen_before_loading(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("model.load.free_bytes", lambda device: 1_000_000)
    choice = load(engine, "--model", str(recite(tmp_path / "tiny", ["never said"])))
    refused(engine, choice, "are free on cpu; choose a smaller model, precision or context")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_memory_that_runs_out_while_loading(engine, tmp_path, monkeypatch, error):
    def place(*_):
        raise error

    monkeypatch.setattr("model.assemble.place", place)
    choice = load(engine, "--model", str(recite(tmp_path / "tiny", ["never said"])))
    refused(engine, choice, "Memory ran out while loading; ")


def test_a_file_that_arrives_damaged(engine, hub, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(huggingface_hub_constants(), "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.garble.add("model-00002-of-00002.safetensors")
    choice = load(engine, "--model", "THUDM/tiny", "--allow-download")
    refused(engine, choice, "model-00002-of-00002.safetensors arrived damaged (SHA-256")


def test_a_hub_that_is_not_to_be_asked(engine, hub, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(huggingface_hub_constants(), "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.requests.clear()
    refused(engine, load(engine, "--model", "THUDM/tiny"), "downloads are off: start once with --allow-download")
    assert hub.requests == []


def huggingface_hub_constants():
    import huggingface_hub.constants

    return huggingface_hub.constants


def refused(engine, choice, message):
    """One sentence that says what to do, and the quote reader answers."""
    reason = str(choice.failed)
    assert message in reason
    assert reason.endswith(".")
    assert "\n" not in reason
    assert choice.name == QuoteReader.name
    assert ANSWER in answers(engine)


def test_a_glm_that_can_be_had_takes_over(engine, tmp_path):
    assert ANSWER in answers(engine)
    choice = load(engine, "--model", str(recite(tmp_path / "tiny", ["It was ", "1931 [1]."])), "--precision", "fp32")
    assert (choice.name, choice.failed) == ("tiny · FP32 · cpu", None)
    assert answers(engine) == "It was 1931 [1]."
