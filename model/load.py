"""A name or a folder becomes a reader: found, fitted to this machine, loaded.

`load_reader` is the one call. Errors are sentences of `rag.errors`; nothing here is specific to one family.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from model.assemble import Tick, assemble, geometry_of, skeleton
from model.checkpoint import Stored, open_checkpoint, read_config, read_json
from model.device import (
    DEFAULT_CONTEXT,
    Fit,
    attention_for,
    compute_dtype,
    failures,
    fit_precision,
    free_bytes,
    pick_device,
)
from model.families import Family, Layout, Precision, find_family, guess_family
from model.hub import Progress, find_checkpoint
from model.layout import known_layout, native_config, plan_for, weights
from model.prompt import read_template
from model.quantise import bitsandbytes
from model.reader import GlmReader
from model.tokenizer import Tokenizer, load_tokenizer
from rag.errors import CheckpointRefused, ReaderError, SettingRefused

log = logging.getLogger(__name__)

ROLE_STOPS = ("<|endoftext|>", "<|user|>", "<|observation|>")


def load_reader(
    name_or_folder: str | Path,
    *,
    precision: str = "auto",
    device: str = "auto",
    context: int | None = None,
    revision: str | None = None,
    cache_dir: Path | None = None,
    hub_only: bool = False,
    offline: bool = False,
    download_progress: Progress | None = None,
    load_progress: Tick | None = None,
) -> GlmReader:
    """A reader for a checkpoint folder or hub id.

    `precision`: auto, bf16, fp16, fp32, int8 or int4; `device`: auto, cpu or cuda:0; `context`: longest prompt
    and answer together, in tokens; by default what suits the device and the model can do. `hub_only`: a folder of this
    name is not looked at; `offline`: open no socket. The callbacks get bytes, or tensors, so far and in all. Raises
    ReaderError (ModelMissing, CheckpointRefused, OutOfMemory) or SettingRefused.
    """
    folder = find_checkpoint(
        str(name_or_folder),
        revision=revision,
        cache_dir=cache_dir,
        hub_only=hub_only,
        offline=offline,
        progress=download_progress,
    )
    target = pick_device(device)
    published = read_config(folder)
    family = family_of(folder, published, str(name_or_folder))
    config = native_config(published, family)
    stored = open_checkpoint(folder)
    tokens = context_of(config, family, context, target)
    plan = plan_for(published)
    with failures("looking at its size"):
        free = free_bytes(target)
        fit = fit_precision(geometry_of(config), precision, tokens, target, free, published_bits=plan.bits)
    log.info("%s: %s", family.name, fit.why)
    tokenizer = load_tokenizer(folder, roles="chatglm2" not in family.prompt)
    with failures("loading"), torch.no_grad():
        if plan.layout is Layout.NATIVE and not _all_known(config, stored):
            model, fit = _from_library(folder, config, fit, precision, target)
        else:
            model = assemble(config, weights(stored, plan), fit.precision, target, load_progress)
    return GlmReader(
        model,
        tokenizer,
        family,
        name=f"{display_name(folder, family, str(name_or_folder))} · {fit.precision.upper()} · {target}",
        context_tokens=tokens,
        stop_ids=stop_ids(folder, config, family, tokenizer),
        template=read_template(folder),
        why=fit.why,
    )


def family_of(folder: Path, published: dict[str, Any], name: str) -> Family:
    """Which family's rules a folder follows. CheckpointRefused for what is no GLM."""
    known_layout(published)
    path = folder / "tokenizer_config.json"
    return guess_family(published, name, read_json(path) if path.exists() else None)


def display_name(folder: Path, family: Family, name: str) -> str:
    """What people are shown: the name of the checkpoint where it is a known one, else of its folder or hub id."""
    known = find_family(name)
    if known or family.name in name:
        return (known or family).name
    return folder.resolve().name if folder == Path(name) else name.split("/")[-1]  # the cache's folder is a hash


def context_of(config: Any, family: Family, wanted: int | None, device: torch.device) -> int:
    """The reader's context length in tokens: what is wanted, by default what suits the device and the model can do.

    Raises SettingRefused if the model cannot do what is wanted.
    """
    limit = min(int(config.max_position_embeddings), family.context)
    if wanted is not None and wanted > limit:
        raise SettingRefused(
            "The model has a context of {limit:,} tokens, less than the {wanted:,} of --context: lower that, or choose"
            " a model with a longer context.",
            limit=limit,
            wanted=wanted,
        )
    return wanted or min(DEFAULT_CONTEXT[device.type], limit)


def stop_ids(folder: Path, config: Any, family: Family, tokenizer: Tokenizer) -> frozenset[int]:
    """Every token that ends an answer: the family's, the checkpoint's own, and the marks of the next turn."""
    found: set[int] = set(family.stop_ids)
    path = folder / "generation_config.json"
    own = read_json(path).get("eos_token_id") if path.exists() else None
    for value in (own, config.eos_token_id):
        if value is not None:
            found.update(value if isinstance(value, Iterable) else (value,))
    found.update(tokenizer.specials[name] for name in ROLE_STOPS if name in tokenizer.specials)
    return frozenset(found)


def _all_known(config: Any, stored: Stored) -> bool:
    """Whether the tensors are named as the library's own model names its parameters, so they can be streamed."""
    names = set(skeleton(config).state_dict())
    return names - {"lm_head.weight"} <= set(stored.files) <= names


def _from_library(folder: Path, config: Any, fit: Fit, wanted: str, device: torch.device) -> tuple[Any, Fit]:
    """A native checkpoint whose tensors the library has to rearrange (mixtures of experts), loaded by it.

    On a CPU in 16 bits only: the library has no integer kernels there.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantised = fit.precision in (Precision.INT8, Precision.INT4)
    dtype = compute_dtype(fit.precision, device)
    options: dict[str, Any] = {"attn_implementation": attention_for(config.model_type, dtype, device)}
    if quantised and device.type == "cpu":
        if wanted != "auto":
            raise ReaderError(f"{folder.name} cannot be held in {fit.precision.upper()} on a CPU; choose bf16.")
        again = fit_precision(geometry_of(config), Precision.BF16, 0, device, free_bytes(device))
        fit = Fit(again.precision, "BF16: this architecture has no integer kernels on a CPU")
    elif quantised:  # pragma: no cover - needs a GPU
        bitsandbytes()
        four = fit.precision is Precision.INT4
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=four,
            load_in_8bit=not four,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
        )
        options["device_map"] = {"": device}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, local_files_only=True, **options
        )
    except (OSError, ImportError, ValueError) as error:
        raise CheckpointRefused(f"{folder.name} cannot be loaded: {str(error).splitlines()[0]}") from error
    return (model if "device_map" in options else model.to(device)).eval(), fit
