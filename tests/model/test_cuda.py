"""What only a GPU can show: run with `pytest -m gpu` where there is one."""

import threading

import pytest
import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from model.adapters import Method
from model.assemble import dimensions_of
from model.batch import Batch
from model.device import free_bytes, has_bfloat16, pick_device
from model.families import KvPrecision, Precision
from model.finetune.train import Trainer, TrainingSettings
from model.generate import forward, generate, read_prompt
from model.kv_cache import preallocated_cache
from model.load import load_reader
from model.load_settings import LoadSettings
from model.passes import Piece, run_together
from model.recorded import Recorder
from rag.errors import OutOfMemory
from rag.reader import ReadRequest, ReadSource, Sampling
from tests.model.checkpoints import NAMES, cases, load, publish, reference
from tests.model.cut import until_cut
from tests.model.test_finetune import BASE, answer, base, examples_of, pairs_of  # noqa: F401 - `base` is a fixture
from tests.model.test_load import native

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"),
]
CUDA = torch.device("cuda:0")
IDS = torch.tensor([[260, 264, *range(5, 60)]])
REQUEST = ReadRequest("what?", (ReadSource(1, "a.pdf", "1", "", "text " * 100),), sampling=Sampling(12, 0))


def relative(ours, wanted):
    return float((ours.float().cpu() - wanted).norm() / wanted.norm())


def on_the_gpu(folder, precision):
    if precision in ("int8", "int4"):
        pytest.importorskip("bitsandbytes", reason="INT8 and INT4 on a GPU need bitsandbytes, which is not installed")
    return load_reader(folder, LoadSettings(precision=precision, device="cuda:0"))


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_the_original(name, tmp_path):
    model = load(publish(name, tmp_path), name, Precision.FP32, "cuda:0")
    for case in set(cases(name)) & {"short", "long"}:
        with torch.no_grad():
            logits = model(input_ids=reference(name)[f"{case}.input_ids"].to(CUDA)).logits.cpu()
        assert (logits - reference(name)[f"{case}.logits"]).abs().max() < 1e-3


@pytest.mark.parametrize("model_type", ["glm", "glm4"])
@pytest.mark.parametrize(("precision", "bound"), [("bf16", 0.05), ("fp16", 0.02), ("int8", 0.1), ("int4", 0.6)])
def test_every_precision_is_near_float32_and_answers(tmp_path, model_type, precision, bound):
    original = native(tmp_path, model_type).eval()
    reader = on_the_gpu(tmp_path, precision)
    assert reader.name.endswith(f"{precision.upper()} · cuda:0")
    with torch.no_grad():
        assert relative(reader.model(IDS.to(CUDA)).logits, original(IDS).logits) < bound
    text = "".join(until_cut(reader.answer(REQUEST, threading.Event())))
    assert text == "".join(until_cut(reader.answer(REQUEST, threading.Event())))
    assert "\ufffd" not in text


def pieces_of(model, people, kv):
    """Prompts of different lengths that were read, each with the first token of its answer."""
    pieces = []
    for person in range(people):
        ids = [5 + person, *range(10, 20 + 7 * person)]
        cache = preallocated_cache(model.config, 100, kv=kv)
        forward(model, ids, len(ids), cache)
        pieces.append(Piece([*ids, 7], 1, cache))
    return pieces


@pytest.mark.parametrize("kv", list(KvPrecision))
@pytest.mark.parametrize(("model_type", "precision"), [("glm", "fp16"), ("glm4", "bf16"), ("glm4", "int4")])
def test_a_recorded_pass_gives_the_logits_of_the_usual_one(tmp_path, model_type, precision, kv, monkeypatch):
    """For all sequences, then for those whose answers have not ended, and beyond the reach of the first recording."""
    monkeypatch.setattr("model.recorded.REACH_STEP", 32)
    native(tmp_path, model_type)
    model = on_the_gpu(tmp_path, precision).model
    recorder, usual, recorded = Recorder(model), pieces_of(model, 3, kv), pieces_of(model, 3, kv)
    for step in range(50):
        if step == 25:
            del usual[0], recorded[0]
        found = recorder.logits(recorded, settled=True)
        for one, other in zip(found, run_together(model, usual, lambda: False), strict=True):
            assert relative(one, other) < 0.05
        usual, recorded = ([Piece([*one.ids, 11 + step], 1, one.cache) for one in each] for each in (usual, recorded))


def test_recorded_passes_of_the_first_generation_give_the_text_of_the_original(tmp_path):
    model = load(publish("chatglm1", tmp_path), "chatglm1", Precision.FP32, "cuda:0")
    ids, wanted = (reference("chatglm1")[f"long.{what}"][0].tolist() for what in ("input_ids", "generated_ids"))
    tokens = Batch(model).generate(ids, Sampling(len(wanted), 0), frozenset(), threading.Event())
    assert list(tokens) == wanted


def test_memory_that_torch_keeps_for_later_is_free():
    before = free_bytes(CUDA)
    held = torch.empty(1 << 28, device=CUDA)
    assert free_bytes(CUDA) <= before - held.nbytes
    del held
    assert free_bytes(CUDA) >= before - (1 << 21)


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_large_activations_stay_finite_when_quantised(tmp_path, precision):
    """GLM-4-0414 in 4 bits writes "!!!!" where it is calculated in float16: numbers beyond 65,504."""
    model = native(tmp_path / "small", "glm4")
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1e4)
        for layer in model.model.layers:
            layer.post_mlp_layernorm.weight.fill_(1e5)
    model.save_pretrained(tmp_path / "large")
    (tmp_path / "large" / "tokenizer.json").write_bytes((tmp_path / "small" / "tokenizer.json").read_bytes())
    reader = on_the_gpu(tmp_path / "large", precision)
    with torch.no_grad():
        assert bool(torch.isfinite(reader.model(IDS.to(CUDA)).logits).all())


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_the_embedding_and_the_output_matrix_take_8_bits(tmp_path, precision):
    """They are a fifth of ChatGLM-6B at 4 bits, and the memory reckoned counts on it."""
    native(tmp_path, vocab_size=4096)
    reader = on_the_gpu(tmp_path, precision)
    config = reader.model.config
    wanted = dimensions_of(config).weight_bytes(Precision(precision))
    assert reader.weight_bytes == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_an_adapter_is_trained_on_weights_of_any_precision(base, tmp_path, method, precision):  # noqa: F811
    """LoRA on INT4 weights is QLoRA (Dettmers et al., NeurIPS 2023)."""
    reader = on_the_gpu(base, precision)
    untrained = answer(reader, "p0?")
    settings = TrainingSettings(method, epochs=30, rate=0.05, step_pairs=3, held_out=0, patience=30, prefix_tokens=16)
    epochs = Trainer(reader.model, settings, tmp_path).train(examples_of(reader, pairs_of(3)), [], BASE)
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    adapted = load_reader(base, LoadSettings(precision=precision, device="cuda:0", adapter=tmp_path))
    assert answer(adapted, "p0?") != untrained


@pytest.mark.skipif(not is_flash_attn_2_available(), reason="FlashAttention 2 is not installed")
def test_flash_attention_reads_a_prompt_in_chunks_as_sdpa_does(tmp_path):
    original = native(tmp_path).eval()
    reader = on_the_gpu(tmp_path, "bf16")
    assert reader.model.config._attn_implementation == ("flash_attention_2" if has_bfloat16(CUDA) else "sdpa")
    ids = IDS[0].tolist()
    *_, scores = read_prompt(reader.model, ids, preallocated_cache(reader.model.config, 100), lambda: False, 16)
    with torch.no_grad():
        assert relative(scores, original(IDS).logits[0, -1]) < 0.05


def test_running_out_of_gpu_memory_is_one_error(tmp_path):
    assert pick_device("auto") == CUDA
    assert 0 < free_bytes(CUDA) <= torch.cuda.get_device_properties(0).total_memory
    native(tmp_path)
    reader = load_reader(tmp_path, LoadSettings(precision="bf16", device="cuda:0"))
    with pytest.raises(OutOfMemory, match="Memory ran out while reading the prompt"):
        list(generate(reader.model, [5] * 10, Sampling(10**10, 0), frozenset(), threading.Event()))
    assert isinstance("".join(until_cut(reader.answer(REQUEST, threading.Event()))), str)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs, and there are fewer")
def test_layers_on_two_gpus_give_the_numbers_of_one(tmp_path):
    from model.assemble import assemble
    from model.checkpoint import open_checkpoint, read_config
    from model.model_config import transformers_config
    from model.placement import Placement
    from model.weight_layout import tensor_mapping, weights
    from tests.model.checkpoints import family_named

    folder = publish("chatglm2", tmp_path)
    published = read_config(folder)
    config = transformers_config(published, family_named("chatglm2"))
    placement = Placement(CUDA, (CUDA, torch.device("cuda:1"), torch.device("cuda:1")))
    tensors = weights(open_checkpoint(folder), tensor_mapping(published))
    model = assemble(config, tensors, Precision.FP32, CUDA, placement=placement)
    ids, wanted = (reference("chatglm2")[f"long.{what}"] for what in ("input_ids", "logits"))
    with torch.no_grad():
        assert (model(ids.to(CUDA)).logits.cpu() - wanted).abs().max() < 1e-3
    sampling = Sampling(max_tokens=32, temperature=0)
    tokens = generate(model, ids[0].tolist(), sampling, frozenset(), threading.Event())
    assert list(tokens) == reference("chatglm2")["long.generated_ids"][0].tolist()
