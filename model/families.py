"""The known GLM checkpoints: size, context, prompt format, stop ids, memory and licence of each, as one table.

Also tells which family a folder belongs to from its `config.json`. Plain data: imports no torch, opens no socket,
and does not know whether a checkpoint is on this machine.

Sizes are computed from the published geometry (`Geometry`), not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

GB = 1_000_000_000


class PromptFormat(StrEnum):
    """How a conversation becomes token ids."""

    CHATGLM1 = "chatglm1"  # [Round 0]\n问：…\n答：  then [gMASK] <sop> at the end
    CHATGLM2 = "chatglm2"  # [gMASK] sop [Round 1]\n\n问：…\n\n答：
    CHATGLM3 = "chatglm3"  # [gMASK] sop <|user|> "\n" content <|assistant|>, each part encoded alone
    GLM4 = "glm4"  # [gMASK] <sop> <|user|> "\n" + content <|assistant|>
    TEMPLATE = "template"  # the frame of the checkpoint's own chat template


class Layout(StrEnum):
    """How the tensors of a published checkpoint are named."""

    FIRST = "first"  # ChatGLM-6B: transformer.layers.*.attention.query_key_value, 2D positions
    FUSED = "fused"  # ChatGLM2/3, GLM-4 remote code: transformer.encoder.layers.*.self_attention.query_key_value
    NATIVE = "native"  # as transformers names them


class Precision(StrEnum):
    """How the weights are held."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"
    INT8 = "int8"
    INT4 = "int4"


@dataclass(frozen=True, slots=True)
class Geometry:
    """Shape of the network, as far as memory depends on it."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    groups: int  # key/value heads
    head_dim: int  # channels
    vocab: int
    gated: bool = True  # the feed-forward part has a gate
    experts: int = 0  # routed experts of the mixture layers; 0 for none
    expert_ffn: int = 0

    @property
    def layer_weights(self) -> int:
        """Weights in the matrices of all layers; norms and biases (well under 0.1%) left out."""
        width = self.heads * self.head_dim
        attention = self.hidden * (2 * width + 2 * self.groups * self.head_dim)
        matrices = 3 if self.gated else 2
        dense = matrices * self.hidden * self.ffn
        if not self.experts:
            return self.layers * (attention + dense)
        mixture = (self.experts + 1) * matrices * self.hidden * self.expert_ffn
        return self.layers * attention + dense + (self.layers - 1) * mixture

    @property
    def vocabulary_weights(self) -> int:
        """Weights of the embedding and of the output matrix together."""
        return 2 * self.vocab * self.hidden

    def weight_bytes(self, precision: Precision, *, vocabulary_bits: int = 8) -> int:
        """Bytes of the weights as `model.quantise` holds them.

        `vocabulary_bits`: of embedding and output matrix at INT8 and INT4; 8 on a CPU, 16 with bitsandbytes.
        """
        bits = {Precision.FP32: 32, Precision.BF16: 16, Precision.FP16: 16, Precision.INT8: 8, Precision.INT4: 4.5}
        outer = vocabulary_bits if precision in (Precision.INT8, Precision.INT4) else bits[precision]
        return int(self.layer_weights * bits[precision] / 8 + self.vocabulary_weights * outer / 8)

    @property
    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values one token leaves in the cache, 16 bits each."""
        return self.layers * 2 * self.groups * self.head_dim * 2


@dataclass(frozen=True, slots=True)
class Family:
    """One known checkpoint."""

    hub_id: str
    parameters: float  # billions
    geometry: Geometry
    context: int  # tokens, prompt and answer
    prompt: PromptFormat
    layout: Layout
    stop_ids: tuple[int, ...]  # () : read from the checkpoint
    licence: str  # in one word; "custom" is the maker's own model licence
    revision: str | None = None  # pinned commit of the hub, where one could be checked
    positions_divided: bool = False  # rope_ratio divides positions (ChatGLM2-6B-32k) instead of raising the base
    quantised_bits: int = 0  # published in 8 or 4 bits

    @property
    def name(self) -> str:
        """What people call it: the hub id without its owner."""
        return self.hub_id.split("/")[-1]


_FIRST = Geometry(28, 4096, 16384, 32, 32, 128, 130528, gated=False)
_SECOND = Geometry(28, 4096, 13696, 32, 2, 128, 65024)
_GLM4_9B = Geometry(40, 4096, 13696, 32, 2, 128, 151552)
_GLM4_9B_1M = Geometry(40, 4096, 13696, 32, 4, 128, 151552)
_GLM4_32B = Geometry(61, 6144, 23040, 48, 2, 128, 151552)
_EDGE_1B = Geometry(28, 2048, 6144, 16, 4, 128, 59264)
_EDGE_4B = Geometry(40, 3072, 8192, 24, 6, 128, 59264)
_AIR = Geometry(46, 4096, 10944, 96, 8, 128, 151552, experts=128, expert_ffn=1408)

_GLM4_STOPS = (151329, 151336, 151338)  # <|endoftext|> <|user|> <|observation|>
_CHATGLM3_STOPS = (2, 64795, 64797)  # </s> <|user|> <|observation|>
_K = 1024


def _first(name: str, bits: int = 0) -> Family:
    return Family(
        f"THUDM/{name}", 6.2, _FIRST, 2 * _K, PromptFormat.CHATGLM1, Layout.FIRST, (130005,), "custom",
        quantised_bits=bits,
    )  # fmt: skip


def _second(name: str, context: int, *, divided: bool = False, bits: int = 0) -> Family:
    return Family(
        f"THUDM/{name}", 6.2, _SECOND, context, PromptFormat.CHATGLM2, Layout.FUSED, (2,), "custom",
        positions_divided=divided, quantised_bits=bits,
    )  # fmt: skip


def _third(name: str, context: int) -> Family:
    return Family(
        f"THUDM/{name}", 6.2, _SECOND, context, PromptFormat.CHATGLM3, Layout.FUSED, _CHATGLM3_STOPS, "custom",
    )  # fmt: skip


def _glm4_remote(name: str, context: int, geometry: Geometry = _GLM4_9B, revision: str | None = None) -> Family:
    return Family(
        f"THUDM/{name}", 9.4, geometry, context, PromptFormat.GLM4, Layout.FUSED, _GLM4_STOPS, "custom",
        revision=revision,
    )  # fmt: skip


def _native(hub_id: str, parameters: float, geometry: Geometry, context: int, licence: str) -> Family:
    return Family(hub_id, parameters, geometry, context, PromptFormat.TEMPLATE, Layout.NATIVE, (), licence)


FAMILIES: tuple[Family, ...] = (
    _first("chatglm-6b"),
    _first("chatglm-6b-int8", 8),
    _first("chatglm-6b-int4", 4),
    _second("chatglm2-6b", 8 * _K),
    _second("chatglm2-6b-32k", 32 * _K, divided=True),
    _second("chatglm2-6b-int4", 8 * _K, bits=4),
    _third("chatglm3-6b", 8 * _K),
    _third("chatglm3-6b-32k", 32 * _K),
    _third("chatglm3-6b-128k", 128 * _K),
    _glm4_remote("glm-4-9b", 8 * _K),
    # The tokenizer files of this commit are the ones the exactness tests hold (SHA-256 equal).
    _glm4_remote("glm-4-9b-chat", 128 * _K, revision="bd8234fe5e0c09c48637a92abb0c797cb5fa0e73"),
    _glm4_remote("glm-4-9b-chat-1m", 1024 * _K, _GLM4_9B_1M),
    _native("THUDM/glm-4-9b-chat-hf", 9.4, _GLM4_9B, 128 * _K, "custom"),
    _native("THUDM/GLM-4-9B-0414", 9.4, _GLM4_9B, 32 * _K, "MIT"),
    _native("THUDM/GLM-4-32B-0414", 32.6, _GLM4_32B, 32 * _K, "MIT"),
    _native("THUDM/GLM-Z1-9B-0414", 9.4, _GLM4_9B, 32 * _K, "MIT"),
    _native("THUDM/GLM-Z1-32B-0414", 32.6, _GLM4_32B, 32 * _K, "MIT"),
    _native("THUDM/glm-edge-1.5b-chat", 1.6, _EDGE_1B, 8 * _K, "custom"),
    _native("THUDM/glm-edge-4b-chat", 4.3, _EDGE_4B, 8 * _K, "custom"),
    _native("zai-org/GLM-4.5-Air", 106.0, _AIR, 128 * _K, "MIT"),
)


def find_family(name: str) -> Family | None:
    """The family of a hub id; the owner may be left out or differ (THUDM and zai-org hold the same files)."""
    last = name.rstrip("/").split("/")[-1].lower()
    return next((family for family in FAMILIES if family.name.lower() == last), None)


def guess_family(
    config: Mapping[str, Any], name: str = "", tokenizer_config: Mapping[str, Any] | None = None
) -> Family:
    """The family whose rules a folder follows: by name, by what its files call themselves, then by their fields.

    `config` is the content of `config.json`, `name` the hub id or the folder's name. Raises KeyError with the
    `model_type` when it is no GLM at all. The geometry of the result is that of the family, not of the folder.
    """
    kind = str(config.get("model_type", ""))
    converted = find_family(str(config.get("converted_from", "")))  # written by model.convert
    if converted is not None:
        return converted
    names = (name, config.get("_name_or_path", ""), (tokenizer_config or {}).get("name_or_path", ""))
    for candidate in names:
        family = find_family(str(candidate))
        if family is not None and family.layout is layout_of(config):
            return family
    if layout_of(config) is Layout.NATIVE:
        return _known("glm-4-9b-chat-hf" if kind == "glm" else "GLM-4-9B-0414")
    if layout_of(config) is Layout.FIRST:
        bits = int(config.get("quantization_bit") or 0)
        return _known(f"chatglm-6b-int{bits}" if bits else "chatglm-6b")
    if int(config.get("padded_vocab_size", 0)) > 100_000 or isinstance(config.get("eos_token_id"), list):
        return _known("glm-4-9b-chat")
    # The config of ChatGLM3 names an AutoModelForCausalLM; the one ChatGLM2 was published with does not.
    third = "AutoModelForCausalLM" in (config.get("auto_map") or {})
    return _known("chatglm3-6b" if third else "chatglm2-6b")


def layout_of(config: Mapping[str, Any]) -> Layout:
    """The layout of a checkpoint from its `config.json`; KeyError with the `model_type` when it is no GLM."""
    kind = str(config.get("model_type", ""))
    if kind == "chatglm":
        return Layout.FIRST if "inner_hidden_size" in config else Layout.FUSED
    if kind == "chatglm1":
        return Layout.FIRST
    if kind.startswith("glm"):
        return Layout.NATIVE
    raise KeyError(kind)


def _known(name: str) -> Family:
    family = find_family(name)
    if family is None:
        raise KeyError(name)
    return family
