"""Loads a GLM: finds the checkpoint, chooses device and precision, and returns a reader.

`load_reader` does it all in one call. `prepare` does everything that needs no memory for the weights, so that any
problem with a checkpoint shows before an earlier model is unloaded to make room. Nothing here is specific to a family.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from model.adapters import Adapter, apply_adapter, read_adapter
from model.assemble import TensorProgress, assemble, dimensions_of, empty_model
from model.checkpoint import TensorFiles, open_checkpoint, read_config, read_json
from model.device import (
    attention_implementation,
    compute_dtype,
    free_bytes,
    pick_devices,
    release_freed_memory,
    torch_errors,
)
from model.families import GB, CheckpointLayout, Family, KvPrecision, Precision, find_family, guess_family
from model.hub import find_checkpoint
from model.kept import KeptModels, key_of
from model.kv_cache import has_plain_attention
from model.load_settings import ANYWHERE, NO_SETTINGS, LoadSettings, Source
from model.memory import DEFAULT_CONTEXT, MIN_CONTEXT, PrecisionChoice, choose_precision, prompt_cache_bytes
from model.model_config import supported_layout, transformers_config
from model.outliers import keep_outliers, sample_ids
from model.placement import Placement, spread, total_free
from model.prompt import ChatMessage, Prompter, read_template
from model.prompt_cache import can_reuse
from model.quantise import bitsandbytes
from model.reader import GlmReader, ReaderSettings
from model.sampling import recommended_sampling
from model.tokenizer import IceTextTokenizer, Tokenizer, load_tokenizer
from model.weight_layout import TensorMapping, tensor_mapping, weights
from rag.errors import CheckpointRefused, SettingRefused
from rag.messages import Message, Value

log = logging.getLogger(__name__)

ROLE_STOPS = ("<|endoftext|>", "<|user|>", "<|observation|>")  # special tokens that end an answer in any checkpoint

_ESTIMATING = Message("estimating its memory")
_LOADING = Message("loading")


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A checkpoint that has been found and checked, but whose weights have not been read yet."""

    folder: Path
    name: str  # as people see it
    family: Family
    config: Any  # of transformers
    stored: TensorFiles
    mapping: TensorMapping
    tokenizer: Tokenizer
    template: str  # chat template of the checkpoint, "" if it has none
    context: int  # maximum tokens of prompt and answer together
    context_given: bool  # somebody asked for it, so it is not shortened
    devices: tuple[torch.device, ...]  # those it is spread over, if it does not fit on the first
    streamed: bool  # tensors are loaded one at a time, rather than by transformers
    kept: KeptModels | None  # where models quantised on a CPU are kept
    adapter: Adapter | None = None

    @property
    def device(self) -> torch.device:
        """The first device, which holds everything except layers in any case."""
        return self.devices[0]

    def choose(self, wanted: str, *, reclaimable: int = 0, kv: KvPrecision = KvPrecision.FULL) -> PrecisionChoice:
        """The precision and context to load with.

        `reclaimable`: bytes that will be freed before loading; `kv`: of keys and values. Raises SettingRefused if the
        model cannot keep keys and values like that, and what `choose_precision` raises.
        """
        if kv is KvPrecision.INT8 and not has_plain_attention(self.config):
            raise SettingRefused(
                "This model does not store a key and a value for every token, so --kv-precision int8 does not work with"
                " it: leave the option out, or choose another model."
            )
        with torch_errors(_ESTIMATING):
            free = self.free_bytes()
            return choose_precision(
                dimensions_of(self.config),
                wanted,
                self.context,
                self.device,
                None if free is None else free + reclaimable,
                published_bits=self.mapping.bits,
                quantisable=self.streamed or self.device.type == "cuda",
                shortest=None if self.context_given else MIN_CONTEXT,
                kv=kv,
            )

    def free_bytes(self) -> int | None:
        """Free memory of the device in bytes; several devices count as if they were one. None if unknown."""
        if len(self.devices) == 1:
            return free_bytes(self.device)
        free = [free_bytes(device) or 0 for device in self.devices]
        return total_free(dimensions_of(self.config), free, self.context, self.device)

    def placement(self, choice: PrecisionChoice) -> Placement | None:
        """Where the layers go; None if all of the model fits on the first device. Raises OutOfMemory."""
        free = [free_bytes(device) for device in self.devices]
        if len(free) == 1 or free[0] is None or choice.needed <= free[0]:
            return None
        known = [one or 0 for one in free]
        return spread(dimensions_of(self.config), choice.precision, choice.context, self.devices, known, choice.kv)

    def load(
        self, choice: PrecisionChoice, progress: TensorProgress | None = None, prompt_cache: int | None = None
    ) -> GlmReader:
        """Read the weights. Raises CheckpointRefused, ModelMissing, OutOfMemory or ReaderError.

        `prompt_cache`: bytes that the prompt cache may take; None for a share of what is free once the model is loaded.
        """
        log.info("%s: %s", self.name, choice.why)
        with torch_errors(_LOADING), torch.no_grad():
            placement = self.placement(choice)
            where = f"{len(set(placement.layers))} GPUs" if placement else str(self.device)
            if self.streamed:
                model = self._read(choice.precision, placement, progress)
            else:
                model = _load_with_transformers(self.folder, self.config, choice.precision, self.device)
            prefix = apply_adapter(model, self.adapter) if self.adapter else ()
        cache_bytes, why = self._prompt_cache(model, choice, prompt_cache)
        parts = (self.name, self.adapter.name if self.adapter else "", choice.precision.upper(), where)
        settings = ReaderSettings(
            context_tokens=choice.context,
            stop_ids=stop_ids(self.folder, self.config, self.family, self.tokenizer),
            template=self.template,
            sampling=recommended_sampling(self.folder, self.family.sampling),
            prompt_cache_bytes=cache_bytes,
            kv=choice.kv,
        )
        name = " · ".join(filter(None, parts))
        return GlmReader(model, self.tokenizer, self.family, settings, name=name, why=why, prefix=prefix)

    def _prompt_cache(self, model: Any, choice: PrecisionChoice, most: int | None) -> tuple[int, Message]:
        """The bytes that it may take, and why precision and device were chosen, with a note on the cache."""
        values: dict[str, Value] = {"why": choice.why}
        if not can_reuse(model):
            return 0, Message("{why}; no prompt cache, as this model reads a prompt in both directions", values)
        if most is None:
            free = free_bytes(self.device)
            most = 0 if free is None else prompt_cache_bytes(dimensions_of(self.config), choice, self.device, free)
        if not most:
            return 0, choice.why
        return most, Message("{why}; prompt cache of up to {cache:.1f} GB", {**values, "cache": most / GB})

    def _read(self, precision: Precision, placement: Placement | None, progress: TensorProgress | None) -> Any:
        """The model, as quantised at an earlier start if possible; otherwise it is kept for the next one."""
        kept = self.kept if self.device.type == "cpu" and precision in (Precision.INT8, Precision.INT4) else None
        key = "" if kept is None else key_of(self.folder, self.stored, precision)
        model = None if kept is None else kept.load(key, self.config, precision, progress)
        if model is not None:
            return model
        tensors = weights(self.stored, self.mapping)
        model = assemble(self.config, tensors, precision, self.device, progress, placement)
        if precision is Precision.INT4 and self.device.type == "cpu" and not self.mapping.bits:
            self._keep_outliers(model)
        if kept is not None:
            kept.keep(key, model)
        if self.device.type == "cpu":
            release_freed_memory()  # of quantising, tens of megabytes
        return model

    def _keep_outliers(self, model: Any) -> None:
        prompter = Prompter(self.tokenizer, self.family.prompt, self.template)
        limit = min(self.context, int(self.config.max_position_embeddings))
        ids = sample_ids(lambda text: prompter.ids([ChatMessage("user", text)]), limit, self.config.vocab_size)
        if ids:
            keep_outliers(model, weights(self.stored, self.mapping), ids)


def load_reader(
    name_or_folder: str | Path,
    settings: LoadSettings = NO_SETTINGS,
    source: Source = ANYWHERE,
    progress: TensorProgress | None = None,
) -> GlmReader:
    """A reader for a checkpoint folder or hub id. `progress` is called with tensors loaded and tensors in total.

    Raises ReaderError (ModelMissing, CheckpointRefused, OutOfMemory) or SettingRefused.
    """
    prepared = prepare(name_or_folder, settings, source)
    return prepared.load(prepared.choose(settings.precision, kv=settings.kv), progress, settings.prompt_cache)


def prepare(
    name_or_folder: str | Path, settings: LoadSettings = NO_SETTINGS, source: Source = ANYWHERE
) -> PreparedModel:
    """Find or download a checkpoint, and check everything except its weights.

    Ignores the settings for the choice of precision and for the prompt cache. Raises ModelMissing, CheckpointRefused or
    SettingRefused.
    """
    name = str(name_or_folder)
    folder = find_checkpoint(
        name,
        revision=source.revision,
        cache_dir=source.cache_dir,
        hub_only=source.hub_only,
        offline=source.offline,
        progress=source.progress,
    )
    devices = pick_devices(settings.device)
    published = read_config(folder)
    family = identify_family(folder, published, name)
    config = transformers_config(published, family)
    mapping = tensor_mapping(published)
    stored = open_checkpoint(folder)
    tokens = context_length(config, family, settings.context, devices[0])
    tokenizer = load_tokenizer(folder, roles="chatglm2" not in family.prompt)
    adopt_token_ids(config, tokenizer)
    template = read_template(folder)
    _check_tokenizer(tokenizer, config, Prompter(tokenizer, family.prompt, template))
    with torch_errors(_LOADING):
        streamed = mapping.layout is not CheckpointLayout.TRANSFORMERS or _can_stream(config, stored)
    return PreparedModel(
        folder=folder,
        name=display_name(folder, family, name),
        family=family,
        config=config,
        stored=stored,
        mapping=mapping,
        tokenizer=tokenizer,
        template=template,
        context=tokens,
        context_given=settings.context is not None,
        devices=devices if streamed else devices[:1],
        streamed=streamed,
        kept=None if settings.keep_in is None else KeptModels(settings.keep_in),
        adapter=read_adapter(settings.adapter) if settings.adapter else None,
    )


def _check_tokenizer(tokenizer: Tokenizer, config: Any, prompter: Prompter) -> None:
    """Refuse a tokenizer that cannot build a prompt, or whose special tokens are not the model's."""
    prompter.ids([ChatMessage("user", "?")])
    if isinstance(tokenizer, IceTextTokenizer):
        for token, expected in (("[gMASK]", config.gmask_token_id), ("<sop>", config.bos_token_id)):
            if tokenizer.special_tokens[token] != expected:
                raise CheckpointRefused(
                    "{token} is token {found} in ice_text.model and {expected} in config.json, so they come from"
                    " different releases of ChatGLM-6B; download all files of one revision.",
                    token=token,
                    found=tokenizer.special_tokens[token],
                    expected=expected,
                )


def adopt_token_ids(config: Any, tokenizer: Tokenizer) -> None:
    """Give an original GLM's configuration the ids of its special tokens, which its `config.json` lacks.

    Raises CheckpointRefused if the tokenizer has ids that the model does not.
    """
    if config.model_type not in ("glm10b", "glm130b"):
        return
    names = tokenizer.special_tokens
    largest = max(names.values(), default=0)
    if largest >= config.vocab_size:
        raise CheckpointRefused(
            "The tokenizer has a token {token} and the model {size} tokens, so they do not belong together; download"
            " all files of one checkpoint.",
            token=largest,
            size=config.vocab_size,
        )
    if config.model_type == "glm130b":
        config.bos_token_id, config.eos_token_id = names.get("sop"), [names["eop"], names["eos"]]
        config.mask_token_id, config.gmask_token_id = names["[MASK]"], names["[gMASK]"]
        config.smask_token_id, config.pad_token_id = names["[sMASK]"], names["eos"]
        return
    config.bos_token_id, config.eos_token_id = names.get("<|startofpiece|>"), names.get("<|endofpiece|>")
    config.pad_token_id = names.get("<|endoftext|>", names.get("[PAD]"))
    config.mask_token_ids = [names[mask] for mask in ("[MASK]", "[gMASK]", "[sMASK]") if mask in names]


def identify_family(folder: Path, published: dict[str, Any], name: str) -> Family:
    """The family that a folder belongs to. Raises CheckpointRefused if it is not a supported GLM."""
    supported_layout(published)
    path = folder / "tokenizer_config.json"
    return guess_family(published, name, read_json(path) if path.exists() else None)


def display_name(folder: Path, family: Family, name: str) -> str:
    """The name that people see: that of a known checkpoint, else of its folder or hub id."""
    known = find_family(name)
    if known or family.name in name:
        return (known or family).name
    return folder.resolve().name if folder == Path(name) else name.split("/")[-1]  # the cache's folder is a hash


def context_length(config: Any, family: Family, wanted: int | None, device: torch.device) -> int:
    """The reader's context length in tokens: the wanted one, else what suits the device and the model can do.

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
    """Every token id that ends an answer: the family's, the checkpoint's own, and those that start the next turn."""
    found: set[int] = set(family.stop_ids)
    path = folder / "generation_config.json"
    own = read_json(path).get("eos_token_id") if path.exists() else None
    for value in (own, config.eos_token_id):
        found.update(each for each in (value if isinstance(value, Iterable) else (value,)) if isinstance(each, int))
    found.update(tokenizer.special_tokens[name] for name in ROLE_STOPS if name in tokenizer.special_tokens)
    return frozenset(found)


def _can_stream(config: Any, stored: TensorFiles) -> bool:
    """Whether the tensors are named like the model's parameters, so that they can be loaded one at a time."""
    names = set(empty_model(config).state_dict())
    return names - {"lm_head.weight"} <= set(stored.files) <= names


def _load_with_transformers(folder: Path, config: Any, precision: Precision, device: torch.device) -> Any:
    """Load a checkpoint whose tensors transformers has to rearrange, such as a mixture of experts.

    Quantised on CUDA only, by bitsandbytes. Raises CheckpointRefused if the checkpoint cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantised = precision in (Precision.INT8, Precision.INT4)
    dtype = compute_dtype(precision, device)
    options: dict[str, Any] = {"attn_implementation": attention_implementation(config.model_type, dtype, device)}
    if quantised:  # pragma: no cover - needs a GPU
        bitsandbytes()
        four = precision is Precision.INT4
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
        raise CheckpointRefused(
            "{folder} cannot be loaded: {reason}", folder=folder.name, reason=str(error).splitlines()[0]
        ) from error
    return (model if "device_map" in options else model.to(device)).eval()
