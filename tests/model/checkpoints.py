"""Tiny checkpoints in the published layouts, written from the reference numbers, and what loading them gives."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from model.assemble import assemble
from model.checkpoint import open_checkpoint, read_config
from model.families import FAMILIES as KNOWN
from model.families import Family, Precision, find_family
from model.model_config import transformers_config
from model.weight_layout import tensor_mapping, weights
from tests.model.reference import DATA

NAMES = {
    "chatglm1": "chatglm-6b", "chatglm2": "chatglm2-6b", "chatglm3": "chatglm3-6b", "glm4": "glm-4-9b-chat",
}  # fmt: skip
OLDEST = {"glm10b": "glm-10b", "glm130b": "GLM-130B"}
INTEGERS = ("chatglm1-int4", "chatglm1-int8", "chatglm2-int4")
PADS = {"chatglm1": 3, "chatglm2": 0, "chatglm3": 0, "glm4": 232}


def family_named(short: str) -> Family:
    """The family whose rules a reference folder follows."""
    family = find_family((NAMES | OLDEST)[short.split("-")[0]])
    assert family in KNOWN
    return family


@functools.cache
def reference(name: str) -> dict[str, torch.Tensor]:
    """The original's numbers, by `<case>.<tensor>`."""
    tensors: dict[str, torch.Tensor] = load_file(DATA / name / "reference.safetensors")
    return tensors


def cases(name: str) -> list[str]:
    """The cases a reference folder has."""
    return sorted({key.split(".")[0] for key in reference(name)})


def published_tensors(name: str) -> dict[str, torch.Tensor]:
    """All tensors of a reference checkpoint, under their published names."""
    tensors: dict[str, torch.Tensor] = load_file(DATA / name.split("-")[0] / "weights.safetensors")
    if name in INTEGERS:
        tensors |= load_file(DATA / name / "integers.safetensors")
    return tensors


def publish(name: str, folder: Path, *, shards: int = 2, pickled: bool = False) -> Path:
    """Write a reference checkpoint into `folder` as the hub has it: shards, an index, a config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text((DATA / name / "config.json").read_text())
    tensors = published_tensors(name)
    stem, ending = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    listed = {}
    for at in range(shards):
        part = dict(list(tensors.items())[at::shards])
        path = folder / f"{stem}-{at + 1:05}-of-{shards:05}.{ending}"
        if pickled:
            torch.save(part, path)
        else:
            save_file(part, path)
        listed |= dict.fromkeys(part, path.name)
    index = {"metadata": {}, "weight_map": listed}
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index))
    return folder


def load(folder: Path, name: str, precision: Precision = Precision.FP32, device: str = "cpu") -> Any:
    """The model of a published folder, as `load_reader` would put it together."""
    published = read_config(folder)
    config = transformers_config(published, family_named(name))
    with torch.no_grad():
        return assemble(
            config, weights(open_checkpoint(folder), tensor_mapping(published)), precision, torch.device(device)
        )


def publish_fused(model: Any, folder: Path, published: Mapping[str, Any]) -> Path:
    """Write a `GlmForCausalLM` as ChatGLM2, ChatGLM3 and GLM-4 were first published, `published` as its config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(published))
    tensors = {}
    for name, tensor in model.state_dict().items():
        layer, projection, leaf = name.rpartition("_proj.")
        if layer.endswith("self_attn.q"):
            parts = [model.state_dict()[f"{layer[:-1]}{one}{projection}{leaf}"] for one in "qkv"]
            tensors[_published_name(f"{layer[:-1]}query_key_value.{leaf}")] = torch.cat(parts)
        elif not layer.endswith(("self_attn.k", "self_attn.v")):
            tensors[_published_name(name)] = tensor
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def _published_name(name: str) -> str:
    for ours, theirs in (
        ("model.layers.", "encoder.layers."), (".self_attn.o_proj.", ".self_attention.dense."),
        (".self_attn.", ".self_attention."), (".mlp.gate_up_proj.", ".mlp.dense_h_to_4h."),
        (".mlp.down_proj.", ".mlp.dense_4h_to_h."), ("model.embed_tokens.", "embedding.word_embeddings."),
        ("model.norm.", "encoder.final_layernorm."), ("lm_head.", "output_layer."),
    ):  # fmt: skip
        name = name.replace(ours, theirs)
    return f"transformer.{name}"
