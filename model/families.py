"""Table of the known GLM checkpoints: dimensions, context, prompt format, stop tokens, sampling and licence of each.

`guess_family` finds the row of a checkpoint folder by its `config.json`. Plain data: imports no torch, opens
no socket, and does not know whether a checkpoint is on this machine. Memory is computed from the published
dimensions, not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MB, GB = 1_000_000, 1_000_000_000


class PromptFormat(StrEnum):
    """How a conversation is laid out as token ids; `model.prompt` builds each."""

    CHATGLM1 = "chatglm1"  # [Round 0]\n问：…\n答：  with [gMASK] <sop> at the end
    CHATGLM2 = "chatglm2"  # [gMASK] sop [Round 1]\n\n问：…\n\n答：
    CHATGLM3 = "chatglm3"  # [gMASK] sop <|user|> "\n" content <|assistant|>, each part encoded separately
    GLM4 = "glm4"  # [gMASK] <sop> <|user|> "\n" + content <|assistant|>
    TEMPLATE = "template"  # the chat template of the checkpoint itself
    GLM10B = "glm10b"  # [CLS] text [gMASK] <|endoftext|> <|startofpiece|>
    GLM130B = "glm130b"  # text [gMASK] sop


class CheckpointLayout(StrEnum):
    """How a published checkpoint names and arranges its tensors."""

    CHATGLM1 = "chatglm1"  # ChatGLM-6B: transformer.layers.*.attention.query_key_value
    FUSED_QKV = "fused_qkv"  # ChatGLM2/3, first GLM-4: transformer.encoder.layers.*.self_attention.query_key_value
    GLM10B = "glm10b"  # GLM-10B and its kind: word_embeddings and transformer.layers.*
    GLM130B = "glm130b"  # GLM-130B as model.convert writes it: those of SwissArmyTransformer, joined
    TRANSFORMERS = "transformers"  # the parameter names of the class in transformers


# Model types of our own classes. They attend to a prompt in both directions, so it cannot be read in chunks.
BIDIRECTIONAL_TYPES = frozenset({"chatglm1", "glm10b", "glm130b"})


class Precision(StrEnum):
    """Data type of the weights in memory: floating point, or weight-only INT8 or INT4 quantisation."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"
    INT8 = "int8"
    INT4 = "int4"


class KvPrecision(StrEnum):
    """Data type of the keys and values that a model keeps of a prompt and its answer."""

    FULL = "full"  # that in which the model computes
    INT8 = "int8"


SHARING_HEADS = 4  # query heads, from which on INT4 leaves the matrices of the keys and values they share in INT8
EXACT_COLUMNS = 4  # of each INT4 matrix that keep 16 bits on a CPU (`model.outliers`): 9 MB of ChatGLM2-6B's 3.8 GB
# Bits of a weight in a layer's matrices, scales included.
_BITS = {Precision.FP32: 32, Precision.BF16: 16, Precision.FP16: 16, Precision.INT8: 8, Precision.INT4: 4.5}


@dataclass(frozen=True, slots=True)
class ModelDimensions:
    """The dimensions of a network that its memory depends on."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    groups: int  # key/value heads
    head_dim: int  # channels
    vocab: int
    tied: bool = False  # the embedding is also the output matrix
    one_piece: bool = False  # a prompt goes through the network as a whole, because it attends to it in both directions
    gated: bool = True  # the feed-forward network has a gate matrix (SwiGLU)
    experts: int = 0  # routed experts of each mixture-of-experts layer; 0: a dense model
    expert_ffn: int = 0  # inner size of one expert

    @property
    def layer_weights(self) -> int:
        """Number of weights in the matrices of all layers, without norms and biases (well under 0.1%)."""
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
        """Number of weights in the embedding and the output matrix together."""
        return (1 if self.tied else 2) * self.vocab * self.hidden

    @property
    def largest_matrix(self) -> int:
        """Number of weights in the largest matrix of a layer: that into the feed-forward network."""
        return self.hidden * self.ffn * (2 if self.gated else 1)

    def vocabulary_bytes(self, precision: Precision, *, quantised_bits: int = 8) -> int:
        """Bytes of the embedding and the output matrix; `quantised_bits`: a weight's at INT8 and INT4."""
        bits = quantised_bits if precision in (Precision.INT8, Precision.INT4) else int(_BITS[precision])
        return self.vocabulary_weights * bits // 8

    def weight_bytes(self, precision: Precision, *, vocabulary_bits: int = 8) -> int:
        """Bytes of the weights at a precision; INT4 takes 4.5 bits a weight with its scales.

        `vocabulary_bits`: bits of the embedding and the output matrix at INT8 and INT4: 8 as they are loaded, 16 in
        published checkpoints.
        """
        outer = self.vocabulary_bytes(precision, quantised_bits=vocabulary_bits)
        inner = self.layer_weights * _BITS[precision] / 8
        if precision is Precision.INT4 and self._shares_keys:
            keys_and_values = self.layers * self.hidden * 2 * self.groups * self.head_dim
            inner += keys_and_values * (_BITS[Precision.INT8] - _BITS[Precision.INT4]) / 8
        return int(inner) + outer

    @property
    def exact_bytes(self) -> int:
        """Bytes of the columns that the INT4 matrices of all layers keep in 16 bits on a CPU."""
        keys_and_values = 0 if self._shares_keys else 2 * self.groups * self.head_dim  # those that are shared are INT8
        attention = self.heads * self.head_dim + keys_and_values + self.hidden
        inner = self.ffn * (2 if self.gated else 1)
        return self.layers * (attention + inner + self.hidden) * EXACT_COLUMNS * 2

    @property
    def _shares_keys(self) -> bool:
        """Whether so many query heads share keys and values that these have INT8 matrices at INT4."""
        return self.groups * SHARING_HEADS <= self.heads

    def kv_bytes_per_token(self, width: int = 2, kv: KvPrecision = KvPrecision.FULL) -> int:
        """Bytes of the KV cache per token; `width`: bytes of a number as the model computes."""
        of_head = self.head_dim + width if kv is KvPrecision.INT8 else self.head_dim * width  # INT8 and its scale
        return self.layers * 2 * self.groups * of_head


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How a model's makers recommend to sample; `rag.reader.Sampling` explains the numbers."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0


# How each family was published. A checkpoint's own generation_config.json takes precedence (`model.sampling`).
GREEDY = SamplingDefaults(temperature=0.0)  # GLM-10B: its model card calls `generate` without sampling
_GLM130B_SAMPLING = SamplingDefaults(1.0, 0.7)  # scripts/generate.sh of THUDM/GLM-130B
_CHATGLM1_SAMPLING = SamplingDefaults(0.95, 0.7)  # `chat()` in modeling_chatglm.py of ChatGLM-6B
_CHAT_SAMPLING = SamplingDefaults(0.8, 0.8)  # `chat()` of ChatGLM2, ChatGLM3 and GLM-4; glm-4-9b-chat's own file
_REASONING_SAMPLING = SamplingDefaults(0.6, 0.95, 40)  # "Sampling Parameters" in the model cards of GLM-Z1
_GLM45_SAMPLING = SamplingDefaults(0.6, 0.95)  # https://docs.z.ai/guides/develop/openai/python


@dataclass(frozen=True, slots=True)
class Family:
    """One known checkpoint: one row of the table."""

    hub_id: str
    parameters: float  # billions
    dimensions: ModelDimensions
    context: int  # tokens of prompt and answer together
    prompt: PromptFormat
    layout: CheckpointLayout
    stop_ids: tuple[int, ...]  # (): read from the checkpoint
    licence: str  # one word; "custom" is the maker's own model licence
    revision: str | None = None  # commit on the hub whose files were checked; None: the newest
    divides_positions: bool = False  # rope_ratio divides positions (ChatGLM2-6B-32k) instead of raising the RoPE base
    on_hub: bool = True  # it can be downloaded
    published_bits: int = 0  # 8 or 4 where the checkpoint is published quantised; 0: it is not
    sampling: SamplingDefaults = _CHAT_SAMPLING

    @property
    def name(self) -> str:
        """The hub id without its owner."""
        return self.hub_id.split("/")[-1]

    @property
    def fills_blanks(self) -> bool:
        """Whether it was only trained to fill in blanks, and follows no instructions."""
        return self.prompt in (PromptFormat.GLM10B, PromptFormat.GLM130B)

    @property
    def published_bytes(self) -> int:
        """Size of the published weights."""
        precision = {0: Precision.BF16, 4: Precision.INT4, 8: Precision.INT8}[self.published_bits]
        return self.dimensions.weight_bytes(precision, vocabulary_bits=16)


_CHATGLM1_6B = ModelDimensions(28, 4096, 16384, 32, 32, 128, 130528, one_piece=True, gated=False)
_CHATGLM2_6B = ModelDimensions(28, 4096, 13696, 32, 2, 128, 65024)
_GLM4_9B = ModelDimensions(40, 4096, 13696, 32, 2, 128, 151552)
_GLM4_9B_1M = ModelDimensions(40, 4096, 13696, 32, 4, 128, 151552)
_GLM4_32B = ModelDimensions(61, 6144, 23040, 48, 2, 128, 151552)
_EDGE_1_5B = ModelDimensions(28, 2048, 6144, 16, 4, 128, 59264)
_EDGE_4B = ModelDimensions(40, 3072, 8192, 24, 6, 128, 59264)
_GLM45_AIR = ModelDimensions(46, 4096, 10944, 96, 8, 128, 151552, experts=128, expert_ffn=1408)

_GLM_10B = ModelDimensions(48, 4096, 16384, 64, 64, 64, 50304, tied=True, one_piece=True, gated=False)
_GLM_10B_CHINESE = ModelDimensions(48, 4096, 16384, 64, 64, 64, 50048, tied=True, one_piece=True, gated=False)
_GLM_2B = ModelDimensions(36, 2048, 8192, 32, 32, 64, 50304, tied=True, one_piece=True, gated=False)
_GLM_LARGE = ModelDimensions(24, 1024, 4096, 16, 16, 64, 30592, tied=True, one_piece=True, gated=False)
_GLM_LARGE_CHINESE = ModelDimensions(24, 1024, 4096, 16, 16, 64, 50048, tied=True, one_piece=True, gated=False)
_GLM_130B = ModelDimensions(70, 12288, 32768, 96, 96, 128, 150528, tied=True, one_piece=True)

_GLM4_STOPS = (151329, 151336, 151338)  # <|endoftext|> <|user|> <|observation|>
_CHATGLM3_STOPS = (2, 64795, 64797)  # </s> <|user|> <|observation|>
_K = 1024


def _glm10b(name: str, parameters: float, dimensions: ModelDimensions, context: int = _K) -> Family:
    return Family(
        f"zai-org/{name}", parameters, dimensions, context, PromptFormat.GLM10B, CheckpointLayout.GLM10B, (), "MIT",
        sampling=GREEDY,
    )  # fmt: skip


def _chatglm1(name: str, bits: int = 0) -> Family:
    return Family(
        f"zai-org/{name}", 6.2, _CHATGLM1_6B, 2 * _K, PromptFormat.CHATGLM1, CheckpointLayout.CHATGLM1, (130005,),
        "custom", published_bits=bits, sampling=_CHATGLM1_SAMPLING,
    )  # fmt: skip


def _chatglm2(name: str, context: int, *, divided: bool = False, bits: int = 0) -> Family:
    return Family(
        f"zai-org/{name}", 6.2, _CHATGLM2_6B, context, PromptFormat.CHATGLM2, CheckpointLayout.FUSED_QKV, (2,),
        "custom", divides_positions=divided, published_bits=bits,
    )  # fmt: skip


def _chatglm3(name: str, context: int) -> Family:
    return Family(
        f"zai-org/{name}", 6.2, _CHATGLM2_6B, context, PromptFormat.CHATGLM3, CheckpointLayout.FUSED_QKV,
        _CHATGLM3_STOPS, "custom",
    )  # fmt: skip


def _glm4(name: str, context: int, dimensions: ModelDimensions = _GLM4_9B, revision: str | None = None) -> Family:
    return Family(
        f"zai-org/{name}", 9.4, dimensions, context, PromptFormat.GLM4, CheckpointLayout.FUSED_QKV, _GLM4_STOPS,
        "custom", revision=revision,
    )  # fmt: skip


def _transformers(
    name: str,
    parameters: float,
    dimensions: ModelDimensions,
    context: int,
    licence: str,
    sampling: SamplingDefaults = _CHAT_SAMPLING,
) -> Family:
    return Family(
        f"zai-org/{name}", parameters, dimensions, context, PromptFormat.TEMPLATE, CheckpointLayout.TRANSFORMERS, (),
        licence, sampling=sampling,
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    _glm10b("glm-large", 0.34, _GLM_LARGE, 512),
    _glm10b("glm-large-chinese", 0.35, _GLM_LARGE_CHINESE),
    _glm10b("glm-2b", 1.9, _GLM_2B),
    _glm10b("glm-10b", 9.9, _GLM_10B),
    _glm10b("glm-10b-chinese", 9.9, _GLM_10B_CHINESE),
    Family(
        "THUDM/GLM-130B",
        130.0,
        _GLM_130B,
        2 * _K,
        PromptFormat.GLM130B,
        CheckpointLayout.GLM130B,
        (150005, 20002),
        "custom",
        on_hub=False,
        sampling=_GLM130B_SAMPLING,
    ),
    _chatglm1("chatglm-6b"),
    _chatglm1("chatglm-6b-int8", 8),
    _chatglm1("chatglm-6b-int4", 4),
    _chatglm2("chatglm2-6b", 8 * _K),
    _chatglm2("chatglm2-6b-32k", 32 * _K, divided=True),
    _chatglm2("chatglm2-6b-int4", 8 * _K, bits=4),
    _chatglm3("chatglm3-6b", 8 * _K),
    _chatglm3("chatglm3-6b-32k", 32 * _K),
    _chatglm3("chatglm3-6b-128k", 128 * _K),
    _glm4("glm-4-9b", 8 * _K),
    # The tokenizer was checked id by id against the original's at this commit.
    _glm4("glm-4-9b-chat", 128 * _K, revision="bd8234fe5e0c09c48637a92abb0c797cb5fa0e73"),
    _glm4("glm-4-9b-chat-1m", 1024 * _K, _GLM4_9B_1M),
    _transformers("glm-4-9b-chat-hf", 9.4, _GLM4_9B, 128 * _K, "custom"),
    _transformers("GLM-4-9B-0414", 9.4, _GLM4_9B, 32 * _K, "MIT"),
    _transformers("GLM-4-32B-0414", 32.6, _GLM4_32B, 32 * _K, "MIT"),
    _transformers("GLM-Z1-9B-0414", 9.4, _GLM4_9B, 32 * _K, "MIT", _REASONING_SAMPLING),
    _transformers("GLM-Z1-32B-0414", 32.6, _GLM4_32B, 32 * _K, "MIT", _REASONING_SAMPLING),
    _transformers("glm-edge-1.5b-chat", 1.6, _EDGE_1_5B, 8 * _K, "custom"),
    _transformers("glm-edge-4b-chat", 4.3, _EDGE_4B, 8 * _K, "custom"),
    _transformers("GLM-4.5-Air", 106.0, _GLM45_AIR, 128 * _K, "MIT", _GLM45_SAMPLING),
)


def find_family(name: str) -> Family | None:
    """The row of a hub id or bare name, whoever its owner is; None if it is not in the table."""
    last = name.rstrip("/").split("/")[-1].lower()
    return next((family for family in FAMILIES if family.name.lower() == last), None)


def guess_family(
    config: Mapping[str, Any], name: str = "", tokenizer_config: Mapping[str, Any] | None = None
) -> Family:
    """The row that a checkpoint folder belongs to, found by name, by the names in its files, or by its config.

    `config` is the content of `config.json`, `name` the hub id or the folder's name. The dimensions of the result are
    those of the row, not of the folder. Raises KeyError with the `model_type` if the config is not that of a GLM.
    """
    layout = detect_layout(config)
    converted = find_family(str(config.get("converted_from", "")))  # written by model.convert
    if converted is not None:
        return converted
    names = (name, config.get("_name_or_path", ""), (tokenizer_config or {}).get("name_or_path", ""))
    for candidate in names:
        family = find_family(str(candidate))
        if family is not None and family.layout is layout:
            return family
    if layout is CheckpointLayout.GLM10B:
        return _row("glm-10b")
    if layout is CheckpointLayout.GLM130B:
        return _row("GLM-130B")
    if layout is CheckpointLayout.TRANSFORMERS:
        return _row("glm-4-9b-chat-hf" if config["model_type"] == "glm" else "GLM-4-9B-0414")
    if layout is CheckpointLayout.CHATGLM1:
        bits = config.get("quantization_bit")
        return _row(f"chatglm-6b-int{bits}" if bits in (4, 8) else "chatglm-6b")
    vocabulary = config.get("padded_vocab_size")
    if (isinstance(vocabulary, int) and vocabulary > 100_000) or isinstance(config.get("eos_token_id"), list):
        return _row("glm-4-9b-chat")
    # The config of ChatGLM3 names an AutoModelForCausalLM; the one ChatGLM2 was published with does not.
    auto_map = config.get("auto_map")
    third = isinstance(auto_map, Mapping) and "AutoModelForCausalLM" in auto_map
    return _row("chatglm3-6b" if third else "chatglm2-6b")


def detect_layout(config: Mapping[str, Any]) -> CheckpointLayout:
    """The tensor layout of a checkpoint from its `config.json`. Raises KeyError with the `model_type` if not a GLM."""
    model_type = str(config.get("model_type", ""))
    if model_type == "chatglm":
        return CheckpointLayout.CHATGLM1 if "inner_hidden_size" in config else CheckpointLayout.FUSED_QKV
    if model_type == "chatglm1":  # written by model.convert
        return CheckpointLayout.CHATGLM1
    # GLM-10B and its kind share the model_type "glm" with transformers' GlmForCausalLM and nothing else.
    if model_type == "glm10b" or (model_type == "glm" and "num_hidden_layers" not in config and "num_layers" in config):
        return CheckpointLayout.GLM10B
    if model_type == "glm130b":  # written by model.convert
        return CheckpointLayout.GLM130B
    if model_type.startswith("glm"):
        return CheckpointLayout.TRANSFORMERS
    raise KeyError(model_type)


def _row(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)
