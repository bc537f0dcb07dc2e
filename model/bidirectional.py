"""What the first generations of GLM share: they read a prompt in both directions and write after a start token.

So a prompt cannot be read in chunks, and the positions of its tokens depend on all of it.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationMixin
from transformers.cache_utils import Cache


def first_true(marks: torch.Tensor) -> torch.Tensor:
    """Column of the first True in each row, (batch, length) bool -> (batch,) int64; `length` if there is none."""
    return torch.where(marks.any(1), marks.int().argmax(1), marks.shape[1])


def visible_tokens(starts: torch.Tensor, past: int, name: str, *, prefix: int = 0) -> torch.Tensor:
    """What each new token sees, (batch or 1, length, past + length) bool: the whole prompt, and what is before it.

    `starts` (batch, length) marks start tokens among the new ones, `past` tokens are in the cache, `prefix` of them a
    learned prefix, which every token sees. Raises ValueError, with the model's `name`, for a prompt in chunks.
    """
    columns = torch.arange(past + starts.shape[1], device=starts.device)
    visible = (columns <= columns[past:, None])[None]
    if past == prefix:
        return visible | (columns < past + first_true(starts)[:, None, None])
    if starts.shape[1] > 1 and bool(starts.any()):
        raise ValueError(f"{name} attends to its prompt in both directions and cannot take it in chunks.")
    return visible


def kept_states(states: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
    """The states (batch, length, hidden) whose logits are wanted: the last ones, all for 0, or those at indices."""
    if isinstance(logits_to_keep, torch.Tensor):
        return states[:, logits_to_keep]
    return states[:, -logits_to_keep:]


def score_mask(visible: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the attention scores: 0 for visible tokens, else the smallest number.

    Not minus infinity: a row that sees nothing, such as padding, must give a uniform softmax, not NaN.
    """
    return torch.where(visible, 0.0, torch.finfo(dtype).min).to(dtype)


class WholePromptGeneration(GenerationMixin):
    """Generation by transformers, for models whose positions depend on the whole prompt.

    transformers requires a class that generates to name `GenerationMixin` itself as well.
    """

    def positions(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """The positions of all ids (batch, length) so far, (batch, ..., length) int64."""
        raise NotImplementedError

    def prepare_inputs_for_generation(  # type: ignore[override] # its unused parameters are in kwargs
        self,
        input_ids: torch.Tensor,
        next_sequence_length: int | None = None,
        past_key_values: Cache | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inputs of the next step; `input_ids` (batch, past + length) are all ids so far, from which positions come."""
        position_ids = self.positions(input_ids, attention_mask)
        if next_sequence_length is not None:
            input_ids = input_ids[:, -next_sequence_length:]
            position_ids = position_ids[..., -next_sequence_length:]
        return {
            "input_ids": input_ids,
            "position_ids": position_ids,
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
            "use_cache": kwargs.get("use_cache"),
            "logits_to_keep": kwargs.get("logits_to_keep", 0) or 0,
        }
