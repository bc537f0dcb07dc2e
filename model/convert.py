"""`python -m model.convert SOURCE TARGET`: a published GLM checkpoint for any program that uses transformers.

Writes safetensors in shards, one at a time; run again after a break, it goes on where it was. ChatGLM2, ChatGLM3 and
GLM-4 become `GlmForCausalLM` and need nothing of this project afterwards. ChatGLM-6B, which transformers has no class
for, becomes `ChatGLM1ForCausalLM`: `import model.chatglm1` makes the Auto classes know it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from model.checkpoint import Stored, open_checkpoint, read_config
from model.export import export_tokenizer
from model.families import GB, Layout
from model.hub import find_checkpoint
from model.layout import native_config, plan_for, read_weight
from model.load import family_of
from model.tokenizer import load_tokenizer
from rag.errors import AskError, CheckpointRefused, ModelMissing, SettingRefused

SHARD_BYTES = 2 * GB
TOKENIZER_FILES = ("tokenizer.model", "ice_text.model")
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor to be written."""

    name: str
    source: str  # the published tensor it is cut from
    rows: slice
    bytes: int


def convert(
    source: Path, target: Path, *, dtype: torch.dtype | None = None, shard_bytes: int = SHARD_BYTES, quiet: bool = False
) -> list[str]:
    """Write the checkpoint of the folder `source` into the folder `target`; sentences about what came of it.

    `dtype`: of the floating tensors; that of the source by default, float16 for a source of integers. Raises
    CheckpointRefused or ModelMissing for a source that cannot be read, SettingRefused for a target in use.
    """
    published = read_config(source)
    family = family_of(source, published, source.name)
    config = native_config(published, family)
    plan = plan_for(published)
    if plan.layout is Layout.NATIVE:
        raise SettingRefused(f"{source.name} is in the layout of transformers already; use it as it is.")
    stored = open_checkpoint(source)
    dtype = dtype or _floating_type(stored)
    config.dtype = dtype
    shards = _plan_shards(_parts(stored, plan, dtype), shard_bytes)
    fingerprint = _fingerprint(published, stored, dtype, shard_bytes)
    target.mkdir(parents=True, exist_ok=True)
    _write_shards(stored, plan.bits, shards, target, dtype, fingerprint, quiet=quiet)
    (target / "config.json").write_text(json.dumps(_config_fields(config, family.name), indent=2))
    _write_generation_config(target, config, family.stop_ids)
    total = sum(part.bytes for shard in shards for part in shard)
    written = [f"{len(shards)} shards, {total / GB:.1f} GB, in {target}."]
    if plan.layout is Layout.FIRST:
        written.append("Programs that load it import model.chatglm1 of this project first.")
    return [*written, *_copy_tokenizer(source, target, family, config)]


def _floating_type(stored: Stored) -> torch.dtype:
    """What the norms of a checkpoint are held in, which no quantisation touches."""
    name = next((name for name in stored.files if "layernorm.weight" in name), next(iter(stored.files)))
    return stored.shape(name)[1]


def _parts(stored: Stored, plan: Any, dtype: torch.dtype) -> list[Part]:
    parts = []
    for source in stored.files:
        if source.endswith("_scale"):
            continue
        shape, _ = stored.shape(source)
        packed = 2 if plan.bits == 4 and f"{source}_scale" in stored.files else 1
        for name, rows in plan.targets(source):
            count = len(range(*rows.indices(shape[0])))
            columns = packed * torch.Size(shape[1:]).numel()
            parts.append(Part(name, source, rows, count * columns * dtype.itemsize))
    return parts


def _plan_shards(parts: list[Part], shard_bytes: int) -> list[list[Part]]:
    shards: list[list[Part]] = [[]]
    for part in parts:
        if shards[-1] and sum(one.bytes for one in shards[-1]) + part.bytes > shard_bytes:
            shards.append([])
        shards[-1].append(part)
    return shards


def _fingerprint(published: dict[str, Any], stored: Stored, dtype: torch.dtype, shard_bytes: int) -> str:
    """What a shard already written has to come from, for it to be kept."""
    sizes = sorted({(path.name, path.stat().st_size) for path in stored.files.values()})
    return hashlib.sha256(json.dumps([published, sizes, str(dtype), shard_bytes]).encode()).hexdigest()


def _write_shards(
    stored: Stored,
    bits: int,
    shards: list[list[Part]],
    target: Path,
    dtype: torch.dtype,
    fingerprint: str,
    *,
    quiet: bool,
) -> None:
    total = sum(part.bytes for shard in shards for part in shard)
    listed: dict[str, str] = {}
    with tqdm(total=total, unit="B", unit_scale=True, disable=quiet) as bar:
        for at, shard in enumerate(shards, 1):
            path = target / f"model-{at:05}-of-{len(shards):05}.safetensors"
            listed |= dict.fromkeys((part.name for part in shard), path.name)
            if _complete(path, shard, fingerprint):
                bar.update(sum(part.bytes for part in shard))
            else:
                _write_shard(stored, bits, shard, path, dtype, fingerprint, bar)
    index = {"metadata": {"total_size": total}, "weight_map": listed}
    (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def _write_shard(
    stored: Stored, bits: int, shard: list[Part], path: Path, dtype: torch.dtype, fingerprint: str, bar: Any
) -> None:
    tensors = {}
    for part in shard:
        weight = read_weight(stored, part.source, bits)
        cut = weight if part.rows == slice(None) else weight.rows(part.rows.start, part.rows.stop)
        tensors[part.name] = cut.dense(dtype).contiguous()
        bar.update(part.bytes)
    unfinished = path.with_suffix(".part")
    unfinished.touch()
    mode = unfinished.stat().st_mode  # as any file here; safetensors makes one that only its owner may read
    save_file(tensors, unfinished, metadata={"format": "pt", "source": fingerprint})
    unfinished.chmod(mode)
    unfinished.replace(path)


def _complete(path: Path, shard: list[Part], fingerprint: str) -> bool:
    """Whether a shard was written whole by an earlier run from the same source. SettingRefused if from another."""
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as opened:
            source = (opened.metadata() or {}).get("source")
            names = set(opened.keys())
    except SafetensorError:
        return False
    if source != fingerprint:
        raise SettingRefused(f"{path.parent} holds another model; choose an empty folder.")
    return names == {part.name for part in shard}


def _config_fields(config: Any, name: str) -> dict[str, Any]:
    """What `config.json` says, the rotary positions also as transformers 4, and vLLM upon it, look for them.

    Those would not find `rope_parameters` and take a base of 10,000 for granted.
    """
    fields: dict[str, Any] = json.loads(config.to_json_string()) | {"converted_from": name}
    rope = fields.get("rope_parameters")
    if rope:
        fields |= {"rope_theta": rope["rope_theta"], "partial_rotary_factor": rope["partial_rotary_factor"]}
        if rope["rope_type"] != "default":
            fields["rope_scaling"] = {"rope_type": rope["rope_type"], "factor": rope["factor"]}
    return fields


def _write_generation_config(target: Path, config: Any, stops: tuple[int, ...]) -> None:
    known = sorted(token for token in stops if token < config.vocab_size)
    content = {"eos_token_id": known or config.eos_token_id, "pad_token_id": config.pad_token_id}
    (target / "generation_config.json").write_text(json.dumps(content, indent=2))


def _copy_tokenizer(source: Path, target: Path, family: Any, config: Any) -> list[str]:
    try:
        tokenizer = load_tokenizer(source, roles="chatglm2" not in family.prompt)
    except ModelMissing:
        return ["The source has no tokenizer, so only the weights were converted; to chat, put one beside them."]
    except CheckpointRefused as error:
        return [f"Only the weights were converted: {error}"]
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    context = min(family.context, int(config.max_position_embeddings))
    if export_tokenizer(tokenizer, family.prompt, target, context=context):
        return ["The tokenizer was converted for AutoTokenizer."]
    (target / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "ChatGLM1Tokenizer", "padding_side": "left", "model_max_length": context})
    )
    return ["Its tokenizer, too, is known to AutoTokenizer after import model.chatglm1."]


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.convert", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help="folder or hub id of a published checkpoint")
    parser.add_argument("target", type=Path, help="folder to write to; a broken-off conversion goes on")
    parser.add_argument("--dtype", choices=sorted(TYPES), help="of the weights written; default: the source's")
    parser.add_argument("--shard-gb", type=float, default=SHARD_BYTES / GB, help="largest file, GB")
    parser.add_argument("--offline", action="store_true", help="open no socket")
    options = parser.parse_args(arguments)
    try:
        source = find_checkpoint(options.source, offline=options.offline)
        for sentence in convert(
            source, options.target, dtype=TYPES.get(options.dtype), shard_bytes=int(options.shard_gb * GB)
        ):
            sys.stdout.write(sentence + "\n")
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
