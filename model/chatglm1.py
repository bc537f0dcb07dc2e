"""ChatGLM-6B, the first generation, as a transformers model: `ChatGLM1Config` and `ChatGLM1ForCausalLM`.

Implements the GLM paper (Du et al. 2022, arXiv:2103.10360) with the rotary embedding of RoFormer (arXiv:2104.09864);
matches the logits of the original `modeling_chatglm.py` of zai-org/chatglm-6b to 1e-4 in float32. Unlike later GLMs:

- The prompt ends in `[gMASK] <sop>`. Attention is bidirectional among the tokens before `<sop>` and causal from there
  on, so a prompt cannot be processed in chunks.
- Each token has two positions. Before `<sop>`: (0, 1, 2, ...; 0). From `<sop>` on: (position of the mask; 1, 2, 3,
  ...). The first rotates one half of each head's channels, the second the other half.
- Residual connections add the layer norm's output times sqrt(2 * 28), whatever the number of layers.

Importing this module registers the model type `chatglm1` with `AutoConfig`, `AutoModelForCausalLM` and
`AutoTokenizer`; `model.register()` does the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from model.bidirectional import WholePromptGeneration, first_true, kept_states, score_mask, visible_tokens
from model.chatglm1_tokenizer import ChatGLM1Tokenizer
from model.learned_prefix import learned_tokens
from model.ragged import RaggedCache, attend

# The original never passes the number of layers to its blocks, so their default of 28 applies at every depth.
ALPHA = math.sqrt(2 * 28)

# (batch, heads, length, head_dim), cosines and sines -> the first, rotated.
Rotate = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@strict
class ChatGLM1Config(PreTrainedConfig):  # type: ignore[no-untyped-call] # of its __init_subclass__
    """Configuration of a first-generation ChatGLM; the defaults are those of ChatGLM-6B."""

    model_type = "chatglm1"

    vocab_size: int = 130528
    hidden_size: int = 4096
    intermediate_size: int = 16384
    num_hidden_layers: int = 28
    num_attention_heads: int = 32
    layer_norm_eps: float = 1e-5
    max_position_embeddings: int = 2048
    use_cache: bool = True
    initializer_range: float = 0.02
    pad_token_id: int | None = 3
    bos_token_id: int | None = 130004  # <sop>
    eos_token_id: int | list[int] | None = 130005  # <eop>
    mask_token_id: int = 130000  # [MASK]
    gmask_token_id: int = 130001  # [gMASK]
    tie_word_embeddings: bool = False


class SelfAttention(nn.Module):
    """Multi-head attention with rotary positions; query, key and value of one head are adjacent in one matrix."""

    def __init__(self, config: Any, layer: int, rotate: Rotate) -> None:
        """`rotate`: how positions rotate queries and keys."""
        super().__init__()
        self.layer, self.rotate = layer, rotate
        self.heads = config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        states: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: Cache | None,
    ) -> torch.Tensor:
        """(batch, length, hidden) -> same shape; `mask` (batch, 1, length, past + length) is added to the scores."""
        batch, length, hidden = states.shape
        fused = self.query_key_value(states).view(batch, length, self.heads, -1).transpose(1, 2)
        query, key, value = fused.chunk(3, dim=-1)  # (batch, heads, length, head_dim) each
        query, key = self.rotate(query, *rotary), self.rotate(key, *rotary)
        mixed = attend(query, key, value, mask, cache, self.layer)
        del fused, query, key, value  # of a prompt in one piece, these would be the most memory that a layer takes
        joined: torch.Tensor = self.dense(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return joined


class FeedForward(nn.Module):
    """Two linear layers with the tanh approximation of GELU between them."""

    def __init__(self, config: ChatGLM1Config) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.intermediate_size)
        self.dense_4h_to_h = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, length, hidden) -> same shape."""
        inner = self.dense_h_to_4h(states)
        if torch.is_grad_enabled():
            inner = functional.gelu(inner, approximate="tanh")
        else:  # in place, because this is the widest activation of the model
            torch.ops.aten.gelu_(inner, approximate="tanh")
        outer: torch.Tensor = self.dense_4h_to_h(inner)
        return outer


class Layer(nn.Module):
    """One transformer block; its residual connections add the normalised inputs, scaled by `alpha`."""

    def __init__(self, config: Any, attention: SelfAttention, mlp: nn.Module, alpha: float) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = attention
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = mlp
        self.alpha = alpha

    def forward(
        self,
        states: torch.Tensor,
        rotary: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: Cache | None,
    ) -> torch.Tensor:
        """(batch, length, hidden) -> same shape."""
        normed = self.input_layernorm(states)
        states = self.attention(normed, rotary, mask, cache) + normed * self.alpha
        normed = self.post_attention_layernorm(states)
        del states  # it is not added again
        output: torch.Tensor = self.mlp(normed) + normed * self.alpha
        return output


class ChatGLM1PreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """What transformers needs to know about the two classes below."""

    config_class = ChatGLM1Config
    config: ChatGLM1Config
    base_model_prefix = "transformer"
    _no_split_modules = ["Layer"]  # noqa: RUF012 - the library's own convention
    _supports_sdpa = True
    _keys_to_ignore_on_load_unexpected = [r"rotary_emb\.inv_freq"]  # noqa: RUF012 - in every published checkpoint


class ChatGLM1Model(ChatGLM1PreTrainedModel):  # type: ignore[no-untyped-call]
    """Embedding, layers and the final layer norm."""

    def __init__(self, config: ChatGLM1Config) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [
                Layer(config, SelfAttention(config, at, rotate), FeedForward(config), ALPHA)
                for at in range(config.num_hidden_layers)
            ]
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states (batch, length, hidden) of `input_ids` (batch, length) int64.

        `attention_mask` (batch, past + length) is 0 for padding on the left. `position_ids` (batch, 2, length) default
        to those of `positions`, and are required with a non-empty cache. Raises ValueError without them, and for ids
        without `<sop>` and a mask token before it.
        """
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = int(past_key_values.get_seq_length()) if past_key_values is not None else 0
        if position_ids is None:
            if past:
                raise ValueError("ChatGLM-6B needs position_ids with a cache, because they depend on the whole prompt.")
            position_ids = positions(self.config, input_ids, attention_mask)
        states = self.word_embeddings(input_ids)
        mask = None
        if not isinstance(past_key_values, RaggedCache):
            mask = self._mask(input_ids, attention_mask, past, learned_tokens(past_key_values), states.dtype)
        rotary = rotary_tables(position_ids, self.config.hidden_size // self.config.num_attention_heads, states.dtype)
        all_states: list[torch.Tensor] = []
        for layer in self.layers:
            if output_hidden_states:
                all_states.append(states)
            states = layer(states, rotary, mask, past_key_values)
        states = self.final_layernorm(states)
        return BaseModelOutputWithPast(
            last_hidden_state=states,
            past_key_values=past_key_values,
            hidden_states=(*all_states, states) if output_hidden_states else None,
        )

    def _mask(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, past: int, prefix: int, dtype: torch.dtype
    ) -> torch.Tensor | None:
        """Added to the attention scores, (batch, 1, length, past + length); None if every token sees all others.

        `prefix`: tokens of the cache that are a learned prefix, which every token sees.
        """
        length = input_ids.shape[1]
        padded = attention_mask is not None and not bool(attention_mask.all())
        if length == 1 and not padded:
            return None
        starts = input_ids.eq(self.config.bos_token_id or 0)
        visible = visible_tokens(starts, past, "ChatGLM-6B", prefix=prefix)
        if padded and attention_mask is not None:
            real = attention_mask.bool()
            visible = visible & real[:, None, :] & real[:, past:, None]
        return score_mask(visible, dtype)[:, None]


class ChatGLM1ForCausalLM(ChatGLM1PreTrainedModel, WholePromptGeneration, GenerationMixin):  # type: ignore[no-untyped-call]
    """ChatGLM-6B with its output matrix, which is not tied to the embedding."""

    takes_ragged_cache = True

    def __init__(self, config: ChatGLM1Config) -> None:
        super().__init__(config)
        self.transformer = ChatGLM1Model(config)
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
        output_hidden_states: bool | None = None,
        labels: torch.Tensor | None = None,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (batch, length, vocab); only of those that `logits_to_keep` names, as `kept_states` takes it."""
        output = self.transformer(
            input_ids, attention_mask, position_ids, past_key_values, use_cache, output_hidden_states
        )
        logits = self.lm_head(kept_states(output.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=output.past_key_values, hidden_states=output.hidden_states
        )

    def positions(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """See `positions` below."""
        return positions(self.config, input_ids, attention_mask)


def positions(config: ChatGLM1Config, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Both positions of every token, (batch, 2, length) int64, of prompts that contain `<sop>`.

    The first counts up to `<sop>` and from there on is that of the first `[gMASK]`, or of the first `[MASK]` if there
    is none; the second is 0 before `<sop>` and counts from 1 from there on. Padding on the left is not counted. Raises
    ValueError for ids without `<sop>` and a mask token before it. (`get_position_ids` of `modeling_chatglm.py`.)
    """
    length = input_ids.shape[1]
    columns = torch.arange(length, device=input_ids.device)
    starts = input_ids.eq(config.bos_token_id or 0)
    start = first_true(starts)[:, None]
    prompt = columns < start
    gmask, mask = (input_ids == config.gmask_token_id) & prompt, (input_ids == config.mask_token_id) & prompt
    anchor = torch.where(gmask.any(1), first_true(gmask), first_true(mask))[:, None]
    if not bool((starts.any(1) & (gmask | mask).any(1)).all()):
        raise ValueError("A prompt of ChatGLM-6B needs [gMASK] or [MASK], and <sop> after it.")
    real = torch.ones_like(input_ids) if attention_mask is None else attention_mask[:, :length]
    skipped = first_true(real.bool())[:, None]
    along = torch.where(prompt, (columns - skipped).clamp(min=0), anchor - skipped)
    block = (columns - start + 1).clamp(min=0)
    return torch.stack((along, block), dim=1)


def rotary_tables(position_ids: torch.Tensor, head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, (batch, 1, length, head_dim) each: half of the channels for each of the two positions.

    The frequencies are rounded to float16, as the original stores them; without that, logits are off by 1e-3.
    """
    half = head_dim // 2
    exponents = torch.arange(0, half, 2, device=position_ids.device, dtype=torch.float32) / half
    frequencies = (1.0 / 10000**exponents).half().float()  # (head_dim / 4,)
    angles = position_ids[..., None].float() * frequencies  # (batch, 2, length, head_dim / 4)
    angles = torch.cat((angles, angles), dim=-1)
    table = torch.cat((angles[:, 0], angles[:, 1]), dim=-1)[:, None]
    return table.cos().to(dtype), table.sin().to(dtype)


def rotate(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotate (batch, heads, length, head_dim), each half of the channels separately, channels paired as in GPT-NeoX."""
    first_half, second_half = states.chunk(2, dim=-1)
    rotated = torch.cat((rotate_half(first_half), rotate_half(second_half)), dim=-1)
    return states * cosine + rotated * sine


def rotate_half(states: torch.Tensor) -> torch.Tensor:
    """Swap the two halves of the channels, the second one negated."""
    low, high = states.chunk(2, dim=-1)
    return torch.cat((-high, low), dim=-1)


AutoConfig.register("chatglm1", ChatGLM1Config, exist_ok=True)
AutoModelForCausalLM.register(ChatGLM1Config, ChatGLM1ForCausalLM, exist_ok=True)
AutoTokenizer.register(ChatGLM1Config, ChatGLM1Tokenizer, exist_ok=True)  # type: ignore[no-untyped-call]
