"""GLM-10B, GLM-10B-chinese, GLM-2B and GLM-Large as a transformers model: `GLM10BConfig` and `GLM10BForCausalLM`.

Implements the GLM paper (Du et al. 2022, arXiv:2103.10360); matches the logits of the original `modeling_glm.py` of
zai-org/glm-10b to 1e-4 in float32. A pre-norm transformer with learned positions, which fills a blank:

- The text holds a mask and is followed by `<|startofpiece|>`. Attention is bidirectional among the tokens before it and
  causal from there on, so a text cannot be processed in chunks.
- Each token has two positions. In the text: (0, 1, 2, ...; 0), padding counted. From `<|startofpiece|>` on: (position
  of the first mask; 1, 2, 3, ...).

Importing this module registers the model type `glm10b` with `AutoConfig` and `AutoModelForCausalLM`.
"""

from __future__ import annotations

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
from model.learned_prefix import learned_tokens
from model.ragged import RaggedCache, attend


@strict
class GLM10BConfig(PreTrainedConfig):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """Configuration of an original GLM; the defaults are those of GLM-10B."""

    model_type = "glm10b"

    vocab_size: int = 50304
    hidden_size: int = 4096
    intermediate_size: int = 16384
    num_hidden_layers: int = 48
    num_attention_heads: int = 64
    layer_norm_eps: float = 1e-5
    max_position_embeddings: int = 1024
    use_cache: bool = True
    initializer_range: float = 0.02
    pad_token_id: int | None = 50256
    bos_token_id: int | None = 50257  # <|startofpiece|>
    eos_token_id: int | list[int] | None = 50258  # <|endofpiece|>
    mask_token_ids: list[int] = field(default_factory=lambda: [50260, 50263, 50264])  # [MASK] [gMASK] [sMASK]
    tie_word_embeddings: bool = True


class SelfAttention(nn.Module):
    """Multi-head attention; one matrix gives all queries, then all keys, then all values."""

    def __init__(self, config: GLM10BConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads = config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None, cache: Cache | None) -> torch.Tensor:
        """(batch, length, hidden) -> same shape; `mask` (batch, 1, length, past + length) is added to the scores."""
        batch, length, hidden = states.shape
        fused = self.query_key_value(states).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = fused  # (batch, heads, length, head_dim) each
        mixed = attend(query, key, value, mask, cache, self.layer)
        joined: torch.Tensor = self.dense(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return joined


class FeedForward(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, config: GLM10BConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.intermediate_size)
        self.dense_4h_to_h = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, length, hidden) -> same shape."""
        outer: torch.Tensor = self.dense_4h_to_h(functional.gelu(self.dense_h_to_4h(states)))
        return outer


class Layer(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, config: GLM10BConfig, layer: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = SelfAttention(config, layer)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = FeedForward(config)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None, cache: Cache | None) -> torch.Tensor:
        """(batch, length, hidden) -> same shape."""
        states = states + self.attention(self.input_layernorm(states), mask, cache)
        output: torch.Tensor = states + self.mlp(self.post_attention_layernorm(states))
        return output


class GLM10BPreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """What transformers needs to know about the two classes below."""

    config_class = GLM10BConfig
    config: GLM10BConfig
    base_model_prefix = "transformer"
    _no_split_modules = ["Layer"]  # noqa: RUF012 - the library's own convention
    _supports_sdpa = True


class GLM10BModel(GLM10BPreTrainedModel):  # type: ignore[no-untyped-call]
    """Embeddings of tokens and of both positions, layers and the final layer norm."""

    def __init__(self, config: GLM10BConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings + 1, config.hidden_size)
        self.block_position_embeddings = nn.Embedding(config.max_position_embeddings + 1, config.hidden_size)
        self.layers = nn.ModuleList([Layer(config, at) for at in range(config.num_hidden_layers)])
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states (batch, length, hidden) of `input_ids` (batch, length) int64.

        `attention_mask` is (batch, past + length), 0 for padding on either side, or (batch, 1, length, past + length),
        1 if a row sees a column. `position_ids` (batch, 2, length) default to those of `positions`, and are required
        with a non-empty cache. Raises ValueError without them, and for ids without a mask and `<|startofpiece|>`.
        """
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = int(past_key_values.get_seq_length()) if past_key_values is not None else 0
        if position_ids is None:
            if past:
                raise ValueError("GLM-10B needs position_ids with a cache, because they depend on the whole text.")
            position_ids = positions(self.config, input_ids)
        states = self.word_embeddings(input_ids)
        states = states + self.position_embeddings(position_ids[:, 0])
        states = states + self.block_position_embeddings(position_ids[:, 1])
        visible = None
        if not isinstance(past_key_values, RaggedCache):
            visible = self._visible(input_ids, attention_mask, past, learned_tokens(past_key_values))
        mask = None if visible is None else score_mask(visible, states.dtype)
        for layer in self.layers:
            states = layer(states, mask, past_key_values)
        return BaseModelOutputWithPast(last_hidden_state=self.final_layernorm(states), past_key_values=past_key_values)

    def _visible(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, past: int, prefix: int
    ) -> torch.Tensor | None:
        """What each row sees, (batch, 1, length, past + length) bool; None if every row sees all columns.

        `prefix`: tokens of the cache that are a learned prefix.
        """
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask.bool()
        length = input_ids.shape[1]
        padded = attention_mask is not None and not bool(attention_mask.all())
        if length == 1 and not padded:
            return None
        starts = input_ids.eq(self.config.bos_token_id or 0)
        visible = visible_tokens(starts, past, "GLM-10B", prefix=prefix)
        if padded and attention_mask is not None:
            visible = visible & attention_mask.bool()[:, None, :]
        return visible[:, None]


class GLM10BForCausalLM(GLM10BPreTrainedModel, WholePromptGeneration, GenerationMixin):  # type: ignore[no-untyped-call]
    """GLM-10B with its output matrix, which is the token embedding."""

    takes_ragged_cache = True
    _tied_weights_keys = {"lm_head.weight": "transformer.word_embeddings.weight"}  # noqa: RUF012

    def __init__(self, config: GLM10BConfig) -> None:
        super().__init__(config)
        self.transformer = GLM10BModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding."""
        return self.transformer.word_embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocab); only of those that `logits_to_keep` names, as `kept_states` takes it."""
        output = self.transformer(input_ids, attention_mask, position_ids, past_key_values, use_cache)
        logits = self.lm_head(kept_states(output.last_hidden_state, logits_to_keep))
        return CausalLMOutputWithPast(logits=logits, past_key_values=output.past_key_values)

    def positions(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """See `positions` below."""
        return positions(self.config, input_ids)


def positions(config: GLM10BConfig, input_ids: torch.Tensor) -> torch.Tensor:
    """Both positions of every token, (batch, 2, length) int64, of texts with a mask and `<|startofpiece|>` after it.

    Raises ValueError for other ids. (`build_inputs_for_generation` of `tokenization_glm.py`.)
    """
    columns = torch.arange(input_ids.shape[1], device=input_ids.device)
    starts = input_ids.eq(config.bos_token_id or 0)
    start = first_true(starts)[:, None]
    masks = torch.isin(input_ids, torch.tensor(config.mask_token_ids, device=input_ids.device)) & (columns < start)
    if not bool((starts.any(1) & masks.any(1)).all()):
        raise ValueError("A text for GLM-10B needs a mask, and <|startofpiece|> after it.")
    along = torch.where(columns < start, columns, first_true(masks)[:, None])
    block = (columns - start + 1).clamp(min=0)
    return torch.stack((along, block), dim=1)


AutoConfig.register("glm10b", GLM10BConfig, exist_ok=True)
AutoModelForCausalLM.register(GLM10BConfig, GLM10BForCausalLM, exist_ok=True)
