"""Every row of the table, as a tiny checkpoint with the layout and the fields it was published with."""

import json

import pytest
import torch
from transformers import (
    Glm4Config,
    Glm4ForCausalLM,
    Glm4MoeConfig,
    Glm4MoeForCausalLM,
    GlmConfig,
    GlmForCausalLM,
    pipeline,
)

import model
from model.convert import convert
from model.families import FAMILIES, CheckpointLayout, PromptFormat
from model.load import load_reader
from model.load_settings import LoadSettings
from model.prompt import ChatMessage
from tests.model.checkpoints import publish, publish_fused, reference
from tests.model.reference import DATA, write_native_tokenizer
from tests.model.tiny_tokenizers import write_tokenizer

model.register()

FIRST = {"chatglm-6b": "chatglm1", "chatglm-6b-int8": "chatglm1-int8", "chatglm-6b-int4": "chatglm1-int4"}
# What config.json says beyond the reference folder of the same tokenizer.
FUSED = {
    "chatglm2-6b": ("chatglm2", {}),
    "chatglm2-6b-32k": ("chatglm2", {"rope_ratio": 50, "seq_length": 32768}),
    "chatglm3-6b": ("chatglm3", {}),
    "chatglm3-6b-32k": ("chatglm3", {"rope_ratio": 50, "seq_length": 32768}),
    "chatglm3-6b-128k": ("chatglm3", {"rope_ratio": 500, "seq_length": 131072}),
    "glm-4-9b": ("glm4", {"rope_ratio": 1, "seq_length": 8192}),
    "glm-4-9b-chat": ("glm4", {"rope_ratio": 500, "seq_length": 131072}),
    "glm-4-9b-chat-1m": ("glm4", {"rope_ratio": 10000, "seq_length": 1048576, "multi_query_group_num": 4}),
}
# Class, and what config.json says as transformers 4 wrote it, in which all of them were published.
NATIVE = {
    "glm-4-9b-chat-hf": (GlmForCausalLM, {"attention_bias": True, "rope_theta": 5000000.0}),
    "GLM-4-9B-0414": (Glm4ForCausalLM, {"attention_bias": True}),
    "GLM-4-32B-0414": (Glm4ForCausalLM, {"attention_bias": False}),
    "GLM-Z1-9B-0414": (Glm4ForCausalLM, {"attention_bias": True}),
    "GLM-Z1-32B-0414": (Glm4ForCausalLM, {"attention_bias": False}),
    "glm-edge-1.5b-chat": (GlmForCausalLM, {"partial_rotary_factor": 1.0, "num_key_value_heads": 1}),
    "glm-edge-4b-chat": (GlmForCausalLM, {"partial_rotary_factor": 1.0, "num_key_value_heads": 2}),
    "GLM-4.5-Air": (
        Glm4MoeForCausalLM,
        {
            "attention_bias": True, "rope_theta": 1000000.0, "moe_intermediate_size": 32, "n_routed_experts": 4,
            "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
        },
    ),
}  # fmt: skip
CONFIGS = {GlmForCausalLM: GlmConfig, Glm4ForCausalLM: Glm4Config, Glm4MoeForCausalLM: Glm4MoeConfig}
SMALL = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 4096,
    "pad_token_id": 0, "eos_token_id": 259,
}  # fmt: skip
IDS = torch.tensor([[200, 201, *range(5, 60)]])


def fused(name, folder, **changes):
    """A checkpoint of random weights in the layout of ChatGLM2 and after; the same weights in transformers' class."""
    template, fields = FUSED[name]
    published = json.loads((DATA / template / "config.json").read_text()) | fields | changes
    ratio = float(published.get("rope_ratio", 1))
    rope = {"rope_type": "default", "rope_theta": 10000.0 * ratio, "partial_rotary_factor": 0.5}
    if name == "chatglm2-6b-32k":
        rope |= {"rope_type": "linear", "rope_theta": 10000.0, "factor": ratio}
    config = GlmConfig(
        vocab_size=published["padded_vocab_size"], hidden_size=64, intermediate_size=published["ffn_hidden_size"],
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=published["multi_query_group_num"], head_dim=16,
        rms_norm_eps=published["layernorm_epsilon"], attention_bias=True, rope_parameters=rope,
        max_position_embeddings=published["seq_length"], pad_token_id=None, eos_token_id=None,
    )  # fmt: skip
    original = randomised(GlmForCausalLM, config)
    publish_fused(original, folder, published)
    return original


def native(name, folder):
    """A checkpoint as transformers writes it, its config in the words of transformers 4."""
    kind, fields = NATIVE[name]
    rope = {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    rope |= {key: fields[key] for key in rope if key in fields}
    others = {key: value for key, value in fields.items() if key not in rope}
    config = CONFIGS[kind](**SMALL | others, rope_parameters={"rope_type": "default", **rope})
    original = randomised(kind, config)
    original.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    del written["rope_parameters"]
    (folder / "config.json").write_text(json.dumps(written | rope))
    return original


def randomised(kind, config):
    """A model whose weights are large enough for positions and biases to matter."""
    torch.manual_seed(0)
    made = kind(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.2)
    return made


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_row_loads_from_its_published_layout_and_gives_its_numbers(family, tmp_path):
    folder = tmp_path / family.name
    if family.name == "chatglm2-6b-int4":
        publish("chatglm2-int4", folder)
        ids, wanted = reference("chatglm2-int4")["long.input_ids"], reference("chatglm2-int4")["long.logits"]
    elif family.layout is CheckpointLayout.GLM130B:
        pytest.skip("given out in parts, not as a folder that loads: test_glm130b has it")
    elif family.layout is CheckpointLayout.GLM10B:
        publish("glm10b", folder)
        ids, wanted = (reference("glm10b")[f"gmask_end.{what}"] for what in ("input_ids", "logits"))
    elif family.layout is CheckpointLayout.CHATGLM1:
        publish(FIRST[family.name], folder)
        ids, wanted = (reference(FIRST[family.name])[f"long.{what}"] for what in ("input_ids", "logits"))
    else:
        original = (native if family.layout is CheckpointLayout.TRANSFORMERS else fused)(family.name, folder)
        ids = IDS
        with torch.no_grad():
            wanted = original(ids).logits
    if family.layout is CheckpointLayout.TRANSFORMERS:
        write_native_tokenizer(folder / "tokenizer.json")
    else:
        write_tokenizer(family.prompt.value, folder)
    reader = load_reader(folder, LoadSettings(precision="fp32", device="cpu"))
    assert reader.family is family
    with torch.no_grad():
        assert (reader.model(ids).logits - wanted).abs().max() < 1e-4


def test_positions_of_the_first_32k_are_those_of_chatglm2_divided(tmp_path):
    """The original's numbers, reached at positions `rope_ratio` times as far apart."""
    folder = publish("chatglm2", tmp_path / "chatglm2-6b-32k")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_ratio": 8, "seq_length": 32768}))
    write_tokenizer("chatglm2", folder)
    reader = load_reader(folder, LoadSettings(precision="fp32", device="cpu"))
    ids, wanted = (reference("chatglm2")[f"long.{what}"] for what in ("input_ids", "logits"))
    places = torch.arange(ids.shape[1])[None]
    with torch.no_grad():
        stretched, plain = (reader.model(ids, position_ids=at).logits for at in (8 * places, places))
    assert (stretched - wanted).abs().max() < 1e-4
    assert (plain - wanted).abs().max() > 1e-2
    assert reader.family.context == 32768


# ---- converted folders, read by others


CONVERTED = [name for name in FUSED if name not in ("glm-4-9b", "glm-4-9b-chat")]


@pytest.fixture(params=CONVERTED)
def converted(request, tmp_path):
    original = fused(request.param, tmp_path / request.param)
    convert(tmp_path / request.param, tmp_path / "target", quiet=True)
    return request.param, original, tmp_path / "target"


def test_converted_folders_hold_what_vllm_reads(converted):
    """`GlmForCausalLM` of vLLM 0.6.4 to 0.11: Llama's loader, half of each head rotated (models/glm.py, llama.py).

    On transformers 4 it takes the base from `rope_theta` and a scaling from `rope_scaling`, on 5 from
    `rope_parameters`; a bias on query, key and value from `attention_bias`, and drops that of `o_proj`.
    """
    name, original, target = converted
    config = json.loads((target / "config.json").read_text())
    assert config["architectures"] == ["GlmForCausalLM"]
    assert config["model_type"] == "glm"
    assert config["hidden_act"] == "silu"
    for field in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "attention_bias",
        "num_key_value_heads", "head_dim", "rms_norm_eps", "max_position_embeddings", "tie_word_embeddings",
    ):  # fmt: skip
        assert config[field] == getattr(original.config, field)
    rope = original.config.rope_parameters
    assert config["rope_parameters"] == rope
    assert config["rope_theta"] == rope["rope_theta"]
    assert config["partial_rotary_factor"] == 0.5
    divided = {"rope_type": "linear", "factor": 50.0}
    assert config.get("rope_scaling") == (divided if name == "chatglm2-6b-32k" else None)
    listed = json.loads((target / "model.safetensors.index.json").read_text())["weight_map"]
    layers = range(config["num_hidden_layers"])
    assert set(listed) == {
        "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight",
        *(f"model.layers.{at}.{norm}_layernorm.weight" for at in layers for norm in ("input", "post_attention")),
        *(f"model.layers.{at}.self_attn.{one}_proj.{leaf}" for at in layers for one in "qkv"
          for leaf in ("weight", "bias")),
        *(f"model.layers.{at}.{matrix}_proj.weight" for at in layers
          for matrix in ("self_attn.o", "mlp.gate_up", "mlp.down")),
    }  # fmt: skip


def test_the_fields_for_transformers_4_change_nothing_for_5(converted):
    """Either set alone gives the same rotary positions, and so do both."""
    _, original, target = converted
    written = json.loads((target / "config.json").read_text())
    assert GlmConfig(**written).rope_parameters == original.config.rope_parameters
    del written["rope_parameters"]
    assert GlmConfig(**written).rope_parameters == original.config.rope_parameters


@pytest.fixture(params=["chatglm1", "chatglm2", "chatglm3", "glm4"])
def run(request, tmp_path):
    """A pipeline over a converted folder, and the reader of the same folder."""
    source = tmp_path / "source"
    if request.param == "chatglm1":
        publish("chatglm1", source)
    else:
        names = {"chatglm2": "chatglm2-6b", "chatglm3": "chatglm3-6b", "glm4": "glm-4-9b-chat"}
        fused(names[request.param], source, padded_vocab_size=512)
    write_tokenizer(request.param, source)
    convert(source, tmp_path / "target", dtype=torch.float32, quiet=True)
    settings = json.loads((tmp_path / "target" / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] in ("PreTrainedTokenizerFast", "ChatGLM1Tokenizer")
    return pipeline("text-generation", model=str(tmp_path / "target")), load_reader(
        tmp_path / "target", LoadSettings(precision="fp32")
    )


def greedy(run, reader, ids):
    wanted = reader.model.generate(
        torch.tensor([ids]), max_new_tokens=4, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    return run.tokenizer.decode(wanted[0, len(ids) :], skip_special_tokens=True)


def test_the_pipeline_continues_a_text(run):
    run, reader = run
    written = run("你好", max_new_tokens=4, do_sample=False, return_full_text=False)[0]["generated_text"]
    assert written == greedy(run, reader, run.tokenizer("你好")["input_ids"])


def test_the_pipeline_answers_messages_with_the_ids_of_our_prompts(run):
    run, reader = run
    if reader.family.prompt is PromptFormat.CHATGLM1:
        assert run.tokenizer.chat_template is None  # its tokenizer would read [gMASK]<sop> in it as text
        return
    seen = []
    hook = run.model.register_forward_pre_hook(lambda *call: seen.append(call[2]["input_ids"]), with_kwargs=True)
    run([{"role": "user", "content": "你好"}], max_new_tokens=1, do_sample=False)
    hook.remove()
    assert seen[0][0].tolist() == reader.prompter.ids([ChatMessage("user", "你好")])
