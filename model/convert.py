"""`python -m model.convert SOURCE TARGET`: converts a published GLM checkpoint to the layout of transformers.

Writes safetensors in shards, one at a time; an interrupted conversion resumes when it is run again. ChatGLM2, ChatGLM3
and GLM-4 become `GlmForCausalLM` and need nothing from this project afterwards. ChatGLM-6B, which transformers has no
class for, becomes `ChatGLM1ForCausalLM`: `model.register()` makes the Auto classes know it.
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

from model.checkpoint import TensorFiles, open_checkpoint, read_config
from model.export import export_tokenizer
from model.families import GB, CheckpointLayout
from model.hub import find_checkpoint
from model.load import identify_family
from model.model_config import transformers_config
from model.tokenizer import load_tokenizer
from model.weight_layout import TensorMapping, read_weight, tensor_mapping
from rag.errors import AskError, CheckpointRefused, ModelMissing, SettingRefused

SHARD_BYTES = 2 * GB
TOKENIZER_FILES = ("tokenizer.model", "ice_text.model")
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


CHATGLM1_README = """# ChatGLM-6B, converted

transformers has no class for this architecture. With the project that converted it on the Python path:

```python
import model
from transformers import AutoModelForCausalLM, AutoTokenizer

model.register()  # makes the Auto classes know the model type "chatglm1"
AutoModelForCausalLM.from_pretrained("FOLDER"), AutoTokenizer.from_pretrained("FOLDER")
```
"""


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One tensor to write."""

    name: str
    source: str  # the published tensor it is part of
    rows: slice
    bytes: int


def convert(
    source: Path, target: Path, *, dtype: torch.dtype | None = None, shard_bytes: int = SHARD_BYTES, quiet: bool = False
) -> list[str]:
    """Convert the checkpoint in the folder `source` into the folder `target`; returns sentences about the result.

    `dtype`: of the tensors written; None: that of the source, which for a quantised one is that of its layer norms.
    `shard_bytes`: largest file. Raises CheckpointRefused or ModelMissing for a source that cannot be read,
    SettingRefused for a source that needs no conversion or a target that holds another model.
    """
    published = read_config(source)
    family = identify_family(source, published, source.name)
    config = transformers_config(published, family)
    mapping = tensor_mapping(published)
    if mapping.layout is CheckpointLayout.GLM10B:
        raise SettingRefused(
            "{source} is an original GLM, which transformers has no class for; use it here as it is.",
            source=source.name,
        )
    if mapping.layout is CheckpointLayout.TRANSFORMERS:
        raise SettingRefused("{source} is already in the layout of transformers; use it as it is.", source=source.name)
    stored = open_checkpoint(source)
    dtype = dtype or _floating_type(stored)
    config.dtype = dtype
    shards = _plan_shards(_parts(stored, mapping, dtype), shard_bytes)
    fingerprint = _fingerprint(published, stored, dtype, shard_bytes)
    target.mkdir(parents=True, exist_ok=True)
    _write_shards(stored, mapping.bits, shards, target, dtype, fingerprint, quiet=quiet)
    (target / "config.json").write_text(json.dumps(_config_fields(config, family.name), indent=2))
    _write_generation_config(target, config, family.stop_ids)
    total = sum(part.bytes for shard in shards for part in shard)
    written = [f"{len(shards)} shards, {total / GB:.1f} GB, in {target}."]
    if mapping.layout is CheckpointLayout.CHATGLM1:
        (target / "README.md").write_text(CHATGLM1_README, encoding="utf-8")
        written.append("Programs that load it call model.register() of this project first; README.md there shows how.")
    return [*written, *_copy_tokenizer(source, target, family, config)]


def _floating_type(stored: TensorFiles) -> torch.dtype:
    """The dtype of the layer norms, which are never quantised."""
    name = next((name for name in stored.files if "layernorm.weight" in name), next(iter(stored.files)))
    return stored.shape(name)[1]


def _parts(stored: TensorFiles, mapping: TensorMapping, dtype: torch.dtype) -> list[OutputTensor]:
    parts = []
    for source in stored.files:
        if source.endswith("_scale"):
            continue
        shape, _ = stored.shape(source)
        packed = 2 if mapping.bits == 4 and f"{source}_scale" in stored.files else 1
        for name, rows in mapping.targets(source):
            count = len(range(*rows.indices(shape[0])))
            columns = packed * torch.Size(shape[1:]).numel()
            parts.append(OutputTensor(name, source, rows, count * columns * dtype.itemsize))
    return parts


def _plan_shards(parts: list[OutputTensor], shard_bytes: int) -> list[list[OutputTensor]]:
    shards: list[list[OutputTensor]] = [[]]
    for part in parts:
        if shards[-1] and sum(one.bytes for one in shards[-1]) + part.bytes > shard_bytes:
            shards.append([])
        shards[-1].append(part)
    return shards


def _fingerprint(published: dict[str, Any], stored: TensorFiles, dtype: torch.dtype, shard_bytes: int) -> str:
    """Identifies source and options, so that a resumed conversion keeps only shards of the same ones."""
    sizes = sorted({(path.name, path.stat().st_size) for path in stored.files.values()})
    return hashlib.sha256(json.dumps([published, sizes, str(dtype), shard_bytes]).encode()).hexdigest()


def _write_shards(
    stored: TensorFiles,
    bits: int,
    shards: list[list[OutputTensor]],
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
    stored: TensorFiles,
    bits: int,
    shard: list[OutputTensor],
    path: Path,
    dtype: torch.dtype,
    fingerprint: str,
    bar: Any,
) -> None:
    tensors = {}
    for part in shard:
        weight = read_weight(stored, part.source, bits)
        own = weight if part.rows == slice(None) else weight.slice_rows(part.rows.start, part.rows.stop)
        tensors[part.name] = own.dense(dtype).contiguous()
        bar.update(part.bytes)
    unfinished = path.with_suffix(".part")
    unfinished.touch()
    mode = unfinished.stat().st_mode  # that of any new file; safetensors creates one that only its owner may read
    save_file(tensors, unfinished, metadata={"format": "pt", "source": fingerprint})
    unfinished.chmod(mode)
    unfinished.replace(path)


def _complete(path: Path, shard: list[OutputTensor], fingerprint: str) -> bool:
    """Whether an earlier run wrote this shard completely. Raises SettingRefused if it is of another model."""
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as opened:
            source = (opened.metadata() or {}).get("source")
            names = set(opened.keys())
    except SafetensorError:
        return False
    if source != fingerprint:
        raise SettingRefused("{folder} holds another model; choose an empty folder.", folder=str(path.parent))
    return names == {part.name for part in shard}


def _config_fields(config: Any, name: str) -> dict[str, Any]:
    """The content of `config.json`, with the RoPE parameters also under the names that transformers 4 reads.

    transformers 4, and vLLM with it, ignores `rope_parameters` and would assume a base of 10,000.
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
        return ["The source has no tokenizer, so only the weights were converted; to chat, copy one into the folder."]
    except CheckpointRefused as error:
        return [f"Only the weights were converted. {error}"]
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    context = min(family.context, int(config.max_position_embeddings))
    if export_tokenizer(tokenizer, family.prompt, target, context=context):
        return ["The tokenizer was converted for AutoTokenizer, with its chat template."]
    (target / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "ChatGLM1Tokenizer", "padding_side": "left", "model_max_length": context})
    )
    return ["AutoTokenizer, too, knows its tokenizer after model.register()."]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.convert", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help="folder or hub id of a published checkpoint")
    parser.add_argument("target", type=Path, help="folder to write to; an interrupted conversion resumes")
    parser.add_argument(
        "--dtype", choices=sorted(DTYPES), help="data type of the weights written; default: that of the source"
    )
    parser.add_argument(
        "--shard-gb", type=float, default=SHARD_BYTES / GB, help="largest file, in GB (default: %(default)g)"
    )
    parser.add_argument("--offline", action="store_true", help="do not download")
    options = parser.parse_args(arguments)
    try:
        source = find_checkpoint(options.source, offline=options.offline)
        for sentence in convert(
            source, options.target, dtype=DTYPES.get(options.dtype), shard_bytes=int(options.shard_gb * GB)
        ):
            sys.stdout.write(sentence + "\n")
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
