"""`python -m model.convert SOURCE TARGET`: converts a published GLM checkpoint to the layout of transformers.

Writes safetensors in shards, one at a time; an interrupted conversion resumes when it is run again. ChatGLM2, ChatGLM3
and GLM-4 become `GlmForCausalLM` and need nothing from this project afterwards. ChatGLM-6B, which transformers has no
class for, becomes `ChatGLM1ForCausalLM`: `model.register()` makes the Auto classes know it. The model-parallel parts of
GLM-130B become `GLM130BForCausalLM` of this project, if asked for in 8 or 4 bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from model.blank.parts import config_of, find_parts, open_parts
from model.blank.row_integers import QUANTISED, quantise_rows, row_bytes
from model.checkpoint import TensorFiles, open_checkpoint, read_config
from model.export import export_tokenizer
from model.families import GB, CheckpointLayout, Family
from model.hub import find_checkpoint
from model.load import identify_family
from model.model_config import transformers_config
from model.tokenizer import load_tokenizer
from model.weight_layout import TensorMapping, read_weight, tensor_mapping
from rag.errors import AskError, CheckpointRefused, ModelMissing, SettingRefused

log = logging.getLogger(__name__)

SHARD_BYTES = 2 * GB
TOKENIZER_FILES = ("tokenizer.model", "ice_text.model")
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


GLM130B_README = """# GLM-130B, converted

With the project that converted it on the Python path, `python app.py --model FOLDER` answers with it, and so does

```python
import model
from transformers import AutoModelForCausalLM

model.register()  # makes the Auto classes know the model type "glm130b"
AutoModelForCausalLM.from_pretrained("FOLDER", dtype="auto", device_map="auto")
```

over several GPUs (`pip install accelerate`), if it was not written in 8 or 4 bits, which this project alone reads.
"""

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
    bits: int = 0  # 8 or 4 to write it as integers with a scale for each row; 0: in floating point

    @property
    def names(self) -> list[str]:
        """The tensors in the file."""
        return [self.name, f"{self.name}_scale"] if self.bits else [self.name]


@dataclass(frozen=True, slots=True)
class _Source:
    """A published checkpoint, and what is to become of it."""

    published: dict[str, Any]
    family: Family
    config: Any  # of transformers
    mapping: TensorMapping
    stored: TensorFiles


def convert(
    source: Path,
    target: Path,
    *,
    dtype: torch.dtype | None = None,
    bits: int = 0,
    shard_bytes: int = SHARD_BYTES,
    quiet: bool = False,
) -> list[str]:
    """Convert the checkpoint in the folder `source` to the folder `target`; returns sentences about the result.

    `dtype`: of the tensors written; None: that of the source, which for a quantised one is that of its layer norms.
    `bits`: 8 or 4 to write the matrices of a GLM-130B's layers as integers with a scale for each row. `shard_bytes`:
    largest file. Raises CheckpointRefused or ModelMissing for a source that cannot be read, SettingRefused for a source
    that needs no conversion, a target that holds another model, or a disk that is too full.
    """
    opened = _open(source)
    config, stored, layout = opened.config, opened.stored, opened.mapping.layout
    if bits and layout is not CheckpointLayout.GLM130B:
        raise SettingRefused(
            "Only GLM-130B is written in {bits} bits; convert {source} without, and load it with --precision.",
            source=source.name,
            bits=bits,
        )
    dtype = dtype or _floating_type(stored)
    config.dtype = dtype
    shards = _plan_shards(_parts(stored, opened.mapping, dtype, bits), shard_bytes)
    fingerprint = _fingerprint(opened.published, stored, (str(dtype), bits) if bits else str(dtype), shard_bytes)
    target.mkdir(parents=True, exist_ok=True)
    _check_disk(shards, target)
    _write_shards(stored, opened.mapping.bits, shards, target, dtype, fingerprint, quiet=quiet)
    fields = _config_fields(config, opened.family.name) | ({"quantization_bit": bits} if bits else {})
    (target / "config.json").write_text(json.dumps(fields, indent=2))
    _write_generation_config(target, config, opened.family)
    total = sum(part.bytes for shard in shards for part in shard)
    written = [f"{len(shards)} shards, {total / GB:.1f} GB, in {target}."]
    if opened.mapping.bits and not bits:
        written.append(_rounding(stored, opened.mapping.bits, dtype))
    readme = {CheckpointLayout.CHATGLM1: CHATGLM1_README, CheckpointLayout.GLM130B: GLM130B_README}.get(layout)
    if readme:
        (target / "README.md").write_text(readme, encoding="utf-8")
        written.append("Programs that load it call model.register() of this project first; README.md there shows how.")
    copy = _copy_icetk if layout is CheckpointLayout.GLM130B else _copy_tokenizer
    return [*written, *copy(source, target, opened.family, config)]


def _open(source: Path) -> _Source:
    """A checkpoint in a folder. Raises SettingRefused if it needs no conversion, and what reading it raises."""
    parts = find_parts(source)
    stored = open_parts(parts) if parts else None
    published = config_of(stored) if stored else read_config(source)
    family = identify_family(source, published, source.name)
    config = transformers_config(published, family)
    mapping = tensor_mapping(published)
    if mapping.layout is CheckpointLayout.GLM10B:
        raise SettingRefused(
            "{source} is an original GLM, which transformers has no class for; use it here as it is.",
            source=source.name,
        )
    if mapping.layout is CheckpointLayout.TRANSFORMERS or (mapping.layout is CheckpointLayout.GLM130B and not stored):
        raise SettingRefused("{source} is already in the layout of transformers; use it as it is.", source=source.name)
    return _Source(published, family, config, mapping, stored or open_checkpoint(source))


def _check_disk(shards: list[list[OutputTensor]], target: Path) -> None:
    """Log how much the conversion still has to write. Raises SettingRefused if there is less room."""
    left = [shard for at, shard in enumerate(shards, 1) if not _shard_path(target, at, len(shards)).exists()]
    needed, free = sum(part.bytes for shard in left for part in shard), shutil.disk_usage(target).free
    log.info("Writing %.1f GB in %d files; %.1f GB are free.", needed / GB, len(left), free / GB)
    if needed > free:
        raise SettingRefused(
            "The conversion writes {needed:.1f} GB and {free:.1f} GB are free in {folder}; free some space, or choose"
            " another folder.",
            needed=needed / GB,
            free=free / GB,
            folder=str(target),
        )


def _shard_path(target: Path, at: int, count: int) -> Path:
    return target / f"model-{at:05}-of-{count:05}.safetensors"


def _floating_type(stored: TensorFiles) -> torch.dtype:
    """The dtype of the layer norms, which are never quantised."""
    name = next((name for name in stored.files if "layernorm.weight" in name), next(iter(stored.files)))
    return stored.shape(name)[1]


def _rounding(stored: TensorFiles, bits: int, dtype: torch.dtype) -> str:
    """What has become of published integers, as a sentence: an integer times its scale has more digits than FP16."""
    scale = next(name for name in stored.files if name.endswith("_scale"))
    source = f"The source's matrices are integers of {bits} bits with scales in {_told(stored.shape(scale)[1])}"
    if dtype is torch.float32:
        return f"{source}; FP32 holds their products exactly."
    percent = 100 * torch.finfo(dtype).eps / 2
    return f"{source}; {_told(dtype)} rounds each product by up to {percent:.2g}%, --dtype fp32 would keep it exactly."


def _told(dtype: torch.dtype) -> str:
    return next((name.upper() for name, known in DTYPES.items() if known is dtype), str(dtype))


def _parts(stored: TensorFiles, mapping: TensorMapping, dtype: torch.dtype, bits: int = 0) -> list[OutputTensor]:
    parts = []
    for source in stored.files:
        if source.endswith("_scale"):
            continue
        shape, _ = stored.shape(source)
        packed = 2 if mapping.bits == 4 and f"{source}_scale" in stored.files else 1
        for name, rows in mapping.targets(source):
            count = len(range(*rows.indices(shape[0])))
            columns = packed * torch.Size(shape[1:]).numel()
            if bits and name.endswith(QUANTISED):
                parts.append(OutputTensor(name, source, rows, row_bytes((count, columns), bits), bits))
                continue
            parts.append(OutputTensor(name, source, rows, count * columns * dtype.itemsize))
    return parts


def _plan_shards(parts: list[OutputTensor], shard_bytes: int) -> list[list[OutputTensor]]:
    shards: list[list[OutputTensor]] = [[]]
    for part in parts:
        if shards[-1] and sum(one.bytes for one in shards[-1]) + part.bytes > shard_bytes:
            shards.append([])
        shards[-1].append(part)
    return shards


def _fingerprint(published: dict[str, Any], stored: TensorFiles, written: Any, shard_bytes: int) -> str:
    """Identifies source and options, so that a resumed conversion only keeps shards made from the same ones."""
    sizes = sorted({(path.name, path.stat().st_size) for path in stored.paths})
    return hashlib.sha256(json.dumps([published, sizes, written, shard_bytes]).encode()).hexdigest()


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
            path = _shard_path(target, at, len(shards))
            listed |= dict.fromkeys((name for part in shard for name in part.names), path.name)
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
    tensors: dict[str, torch.Tensor] = {}
    for part in shard:
        weight = read_weight(stored, part.source, bits)
        own = weight if part.rows == slice(None) else weight.slice_rows(part.rows.start, part.rows.stop)
        dense = own.dense(dtype).contiguous()
        tensors |= dict(zip(part.names, quantise_rows(dense, part.bits) if part.bits else (dense,), strict=True))
        bar.update(part.bytes)
    unfinished = path.with_suffix(".part")
    unfinished.touch()
    mode = unfinished.stat().st_mode  # like any new file; safetensors creates one that only its owner may read
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
    return names == {name for part in shard for name in part.names}


def _config_fields(config: Any, name: str) -> dict[str, Any]:
    """The content of `config.json`, with the RoPE parameters also under the names that transformers 4 reads.

    transformers 4, and with it vLLM, ignores `rope_parameters` and would assume a base of 10,000.
    """
    fields: dict[str, Any] = json.loads(config.to_json_string()) | {"converted_from": name}
    rope = fields.get("rope_parameters")
    if rope:
        fields |= {"rope_theta": rope["rope_theta"], "partial_rotary_factor": rope["partial_rotary_factor"]}
        if rope["rope_type"] != "default":
            fields["rope_scaling"] = {"rope_type": rope["rope_type"], "factor": rope["factor"]}
    return fields


def _write_generation_config(target: Path, config: Any, family: Family) -> None:
    """The tokens that end an answer, and how to sample, for families whose published `chat()` has both in its code."""
    known = sorted(token for token in family.stop_ids if token < config.vocab_size)
    content = {"eos_token_id": known or config.eos_token_id, "pad_token_id": config.pad_token_id}
    content |= {"do_sample": True, "temperature": family.sampling.temperature, "top_p": family.sampling.top_p}
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


def _copy_icetk(source: Path, target: Path, family: Family, config: Any) -> list[str]:
    """The tokenizer of GLM-130B, which does not come with its parts: icetk downloads it."""
    file = source / "ice_text.model"
    if not file.exists():
        return ["To answer, copy ice_text.model of icetk (~/.icetk_models) into the folder."]
    shutil.copyfile(file, target / file.name)
    load_tokenizer(target)
    return []


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m model.convert", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help="folder or hub id of a published checkpoint")
    parser.add_argument("target", type=Path, help="folder to write to; an interrupted conversion resumes")
    parser.add_argument(
        "--dtype", choices=sorted(DTYPES), help="data type of the weights written; default: that of the source"
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 4), help="of GLM-130B: write the matrices of its layers in 8 or 4 bits"
    )
    parser.add_argument(
        "--shard-gb", type=float, default=SHARD_BYTES / GB, help="largest file, in GB (default: %(default)g)"
    )
    parser.add_argument("--offline", action="store_true", help="do not download")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        source = find_checkpoint(options.source, offline=options.offline)
        for sentence in convert(
            source,
            options.target,
            dtype=DTYPES.get(options.dtype),
            bits=options.bits or 0,
            shard_bytes=int(options.shard_gb * GB),
        ):
            sys.stdout.write(sentence + "\n")
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
