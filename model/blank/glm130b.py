"""GLM-130B as a transformers model: `GLM130BConfig` and `GLM130BForCausalLM`.

Implements the GLM-130B paper (Zeng et al. 2022, arXiv:2210.02414); matches the logits of SwissArmyTransformer's
`glm130B_model.py` to 1e-4 in float32. The block of ChatGLM-6B (`model.chatglm1`), which descends from it, but:

- Positions are 1D, and all channels of a head are rotated by them. For `[gMASK]` they run on; from `sop` on, those of
  `[MASK]` and `[sMASK]` are the position of the mask.
- The feed-forward network is a GEGLU, the residual connections add sqrt(2 * layers) times the layer norm's output, and
  the output matrix is the token embedding.

Importing this module registers the model type `glm130b` with `AutoConfig` and `AutoModelForCausalLM`.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from model.bidirectional import WholePromptGeneration, first_true, kept_states, score_mask, visible_tokens
from model.chatglm1 import Layer, SelfAttention, rotate_half
from model.learned_prefix import learned_tokens
from model.ragged import RaggedCache


@strict
class GLM130BConfig(PreTrainedConfig):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """Configuration of a GLM-130B; the defaults are those of the published one."""

    model_type = "glm130b"

    vocab_size: int = 150528
    hidden_size: int = 12288
    intermediate_size: int = 32768  # of each half of the gated feed-forward network
    num_hidden_layers: int = 70
    num_attention_heads: int = 96
    layer_norm_eps: float = 1e-5
    max_position_embeddings: int = 2048
    use_cache: bool = True
    initializer_range: float = 0.02
    pad_token_id: int | None = 20002
    bos_token_id: int | None = 150004  # sop
    eos_token_id: int | list[int] | None = field(default_factory=lambda: [150005, 20002])  # eop, eos
    mask_token_id: int = 150000  # [MASK]
    gmask_token_id: int = 150001  # [gMASK]
    smask_token_id: int = 150002  # [sMASK]
    tie_word_embeddings: bool = True


class FeedForward(nn.Module):
    """A gated linear unit with GELU (GEGLU, Shazeer 2020, arXiv:2002.05202): the second half is the gate."""

    def __init__(self, config: GLM130BConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, 2 * config.intermediate_size)
        self.dense_4h_to_h = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, length, hidden) -> same shape."""
        inner, gate = self.dense_h_to_4h(states).chunk(2, dim=-1)
        outer: torch.Tensor = self.dense_4h_to_h(inner * functional.gelu(gate))
        return outer


class GLM130BPreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """What transformers needs to know about the two classes below."""

    config_class = GLM130BConfig
    config: GLM130BConfig
    base_model_prefix = "transformer"
    _no_split_modules = ["Layer"]  # noqa: RUF012 - the library's own convention
    _supports_sdpa = True


class GLM130BModel(GLM130BPreTrainedModel):  # type: ignore[no-untyped-call]
    """Embedding, layers and the final layer norm."""

    def __init__(self, config: GLM130BConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        alpha = math.sqrt(2 * config.num_hidden_layers)
        self.layers = nn.ModuleList(
            [
                Layer(config, SelfAttention(config, at, rotate), FeedForward(config), alpha)
                for at in range(config.num_hidden_layers)
            ]
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states (batch, length, hidden) of `input_ids` (batch, length) int64, all rows of one length.

        `position_ids` (batch, length) default to those of `positions`, and are required with a non-empty cache. Raises
        ValueError without them, and for ids without a mask and `sop` after it.
        """
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = int(past_key_values.get_seq_length()) if past_key_values is not None else 0
        if position_ids is None:
            if past:
                raise ValueError("GLM-130B needs position_ids with a cache, because they depend on the whole text.")
            position_ids = positions(self.config, input_ids)
        states = self.word_embeddings(input_ids)
        mask = None
        if not isinstance(past_key_values, RaggedCache):
            mask = self._mask(input_ids, past, learned_tokens(past_key_values), states.dtype)
        rotary = rotary_tables(position_ids, self.config.hidden_size // self.config.num_attention_heads, states.dtype)
        for layer in self.layers:
            states = layer(states, rotary, mask, past_key_values)
        return BaseModelOutputWithPast(last_hidden_state=self.final_layernorm(states), past_key_values=past_key_values)

    def _mask(self, input_ids: torch.Tensor, past: int, prefix: int, dtype: torch.dtype) -> torch.Tensor | None:
        """Added to the attention scores, (batch, 1, length, past + length); None if every token sees all others.

        `prefix`: tokens of the cache that are a learned prefix.
        """
        length = input_ids.shape[1]
        if length == 1:
            return None
        starts = input_ids.eq(self.config.bos_token_id or 0)
        return score_mask(visible_tokens(starts, past, "GLM-130B", prefix=prefix), dtype)[:, None]


class GLM130BForCausalLM(GLM130BPreTrainedModel, WholePromptGeneration, GenerationMixin):  # type: ignore[no-untyped-call]
    """GLM-130B with its output matrix, which is the token embedding."""

    takes_ragged_cache = True
    _tied_weights_keys = {"lm_head.weight": "transformer.word_embeddings.weight"}  # noqa: RUF012

    def __init__(self, config: GLM130BConfig) -> None:
        super().__init__(config)
        self.transformer = GLM130BModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.transformer.word_embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocab); only of those that `logits_to_keep` names, as `kept_states` takes it."""
        output = self.transformer(input_ids, position_ids, past_key_values, use_cache)
        logits = self.lm_head(kept_states(output.last_hidden_state, logits_to_keep))
        return CausalLMOutputWithPast(logits=logits, past_key_values=output.past_key_values)

    def positions(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """See `positions` below."""
        return positions(self.config, input_ids)


def positions(config: GLM130BConfig, input_ids: torch.Tensor) -> torch.Tensor:
    """The position of every token, (batch, length) int64, of texts with a mask and `sop` after it.

    The first mask is the one that is filled. Raises ValueError for other ids. (`get_masks_and_position_ids` of
    `generate.py` in THUDM/GLM-130B.)
    """
    columns = torch.arange(input_ids.shape[1], device=input_ids.device)
    starts = input_ids.eq(config.bos_token_id or 0)
    start = first_true(starts)[:, None]
    kinds = torch.tensor([config.mask_token_id, config.gmask_token_id, config.smask_token_id], device=input_ids.device)
    masks = torch.isin(input_ids, kinds) & (columns < start)
    if not bool((starts.any(1) & masks.any(1)).all()):
        raise ValueError("A text for GLM-130B needs a mask, and sop after it.")
    anchor = first_true(masks)[:, None]
    runs_on = input_ids.gather(1, anchor) == config.gmask_token_id
    return torch.where((columns < start) | runs_on, columns, anchor)


def rotate(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotate (batch, heads, length, head_dim), channels paired as in GPT-NeoX."""
    return states * cosine + rotate_half(states) * sine


def rotary_tables(position_ids: torch.Tensor, head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, (batch, 1, length, head_dim) each; frequencies are rounded to float16 as in the original."""
    exponents = torch.arange(0, head_dim, 2, device=position_ids.device, dtype=torch.float32) / head_dim
    frequencies = (1.0 / 10000**exponents).half().float()  # (head_dim / 2,)
    angles = position_ids[..., None].float() * frequencies
    table = torch.cat((angles, angles), dim=-1)[:, None]
    return table.cos().to(dtype), table.sin().to(dtype)


AutoConfig.register("glm130b", GLM130BConfig, exist_ok=True)
AutoModelForCausalLM.register(GLM130BConfig, GLM130BForCausalLM, exist_ok=True)
