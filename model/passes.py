"""One pass of a model over new tokens of several sequences, and the choice of prompts to read in the next pass.

Prompts, chunks of prompts and single tokens of answers go through the matrix products together; each has its own
positions and attention (`model.ragged`). Does not know people, text or sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers.cache_utils import Cache

from model.bidirectional import score_mask, visible_tokens
from model.device import free_bytes
from model.families import BIDIRECTIONAL_TYPES, GB
from model.generate import forward, last_positions, stoppable_between_layers
from model.learned_prefix import learned_tokens
from model.memory import PROMPT_CHUNK
from model.ragged import ONE_TOKEN, RaggedCache, Rows, ragged_attention, supports_ragged

LARGE_PASS: Final = 2048  # tokens read in one pass on a GPU with memory to spare
LARGE_PASS_FREE: Final = 8 * GB  # free memory from which there is; a large pass of GLM-4-9B takes 0.5 GB
OVERTAKES: Final = 2  # times less left to read than of the first prompt: alternating then saves waiting


@dataclass(frozen=True, slots=True)
class PassLimits:
    """How many tokens of prompts are read in one pass."""

    chunk: int = PROMPT_CHUNK  # of one prompt
    together: int = 256  # of several; on a CPU, more would hardly be faster for each, and all wait for the last


def pass_limits(device: torch.device) -> PassLimits:
    """The limits on a device: a fast GPU takes as long to launch a pass over a few hundred tokens as over thousands."""
    if device.type == "cuda" and (free_bytes(device) or 0) > LARGE_PASS_FREE:
        return PassLimits(LARGE_PASS, LARGE_PASS)
    return PassLimits()


@dataclass(frozen=True, slots=True)
class Piece:
    """New tokens of one sequence."""

    ids: list[int]  # of the sequence up to its last new token
    new: int
    cache: Cache  # holds the tokens before them


def rows_to_read(
    unread: Sequence[int], limits: PassLimits, *, first_waited: bool, in_one_piece: bool = False
) -> list[int]:
    """How many tokens of each prompt to read in the next pass. `unread`: tokens left, in order of arrival.

    Prompts that are short, or almost read, go together, shortest first. If there are none, one that is much shorter
    than the first is read before it; but the prompt that came first is passed over at most every other time
    (`first_waited` tells that it just was). `in_one_piece`: no prompt can be read in chunks.
    """
    rows = [0] * len(unread)
    if not unread:
        return rows
    chunk = max(unread) if in_one_piece else limits.chunk
    order = sorted(range(len(unread)), key=unread.__getitem__)
    room = limits.together
    for at in order:
        if unread[at] > room:
            break
        rows[at], room = unread[at], room - unread[at]
    shortest = order[0]
    if not any(rows) and unread[shortest] * OVERTAKES < unread[0]:
        rows[shortest] = min(unread[shortest], chunk)
    if not rows[0] and (first_waited or not any(rows)):
        return [min(unread[0], chunk), *[0] * (len(unread) - 1)]
    return rows


@torch.inference_mode()
def run_together(model: Any, pieces: Sequence[Piece], stopped: Callable[[], bool]) -> list[torch.Tensor]:
    """Logits of the token after each piece, (vocab,) float32 on the CPU; the pieces are added to the caches.

    Raises PromptStopped once `stopped`, unless all pieces are single tokens; the caches are then unusable.
    """
    if all(piece.new == 1 for piece in pieces):
        return _computed(model, pieces)
    with stoppable_between_layers(model, stopped):
        return _computed(model, pieces)


def _computed(model: Any, pieces: Sequence[Piece]) -> list[torch.Tensor]:
    # On a CPU, `model.ragged` attends to keys as they are; transformers repeats them for all heads, which costs memory.
    if len(pieces) == 1 and not (model.device.type == "cpu" and supports_ragged(model)):
        return [forward(model, piece.ids, piece.new, piece.cache) for piece in pieces]
    ids = [token for piece in pieces for token in piece.ids[-piece.new :]]
    positions = [last_positions(model, piece.ids, piece.new, piece.cache) for piece in pieces]
    ends = torch.tensor([piece.new for piece in pieces]).cumsum(0) - 1
    cache = RaggedCache([piece.cache for piece in pieces], [_rows(model, piece) for piece in pieces])
    with ragged_attention(model, cache):
        output = model(
            input_ids=torch.tensor([ids], device=model.device),
            position_ids=torch.cat(positions, dim=-1),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=ends.to(model.device),
        )
    return list(output.logits[0].float().cpu())


def _rows(model: Any, piece: Piece) -> Rows:
    """The new tokens of a piece, with their mask."""
    if piece.new == 1:
        return ONE_TOKEN
    past = int(piece.cache.get_seq_length())
    if model.config.model_type in BIDIRECTIONAL_TYPES:
        starts = torch.tensor([piece.ids[-piece.new :]]).eq(model.config.bos_token_id or 0)
        visible = visible_tokens(starts, past, model.config.model_type, prefix=learned_tokens(piece.cache))[0]
    else:
        columns = torch.arange(past + piece.new)
        visible = columns <= columns[past:, None]
    return Rows(piece.new, score_mask(visible, model.dtype).to(model.device))
