"""Replays the pass that computes the next token of each answer as a CUDA graph.

Such a pass launches more than a thousand small kernels. Launched from Python one after another, they take several times
as long as the GPU needs to read the weights; a recorded graph launches them all at once (NVIDIA, "CUDA C++ Programming
Guide", CUDA graphs; figures in benchmarks/LOG.md).

A graph fixes shapes and addresses. So tokens, positions and the places of new keys and values are read from tensors,
and each sequence attends to a fixed number of places, its reach; a mask hides those that are not filled yet.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from transformers.cache_utils import Cache

from model.bidirectional import score_mask
from model.generate import last_positions
from model.kv_cache import States, has_plain_attention, preallocated
from model.passes import Piece
from model.ragged import RaggedCache, Rows, ragged_attention, supports_ragged

logger = logging.getLogger(__name__)

REACH_STEP: Final = 512  # tokens; the reach of a sequence is a multiple of it, and beyond it a new graph is recorded
PASSES_BEFORE: Final = 4  # without a graph, where sequences may join soon; recording takes as long as two
PASSES_AFTER_FAILURE: Final = 256  # without a graph, once there was no memory for one
RECORDABLE: Final = frozenset({"chatglm1", "glm", "glm4"})  # model types whose passes never wait for the GPU


class PlacedCache(RaggedCache):
    """The caches of sequences with one new token each, at places that are read from a tensor."""

    def __init__(self, caches: Sequence[Cache], rows: Sequence[Rows], places: Sequence[torch.Tensor]) -> None:
        """`rows`: with the mask of each sequence, as wide as its reach; `places`: (1,) int64 for each sequence."""
        super().__init__(caches, rows)
        self._places = places

    def update(  # type: ignore[override] # its parameters have other names
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[list[States], list[States]]:
        """Put (1, heads, sequences, channels) in their places; returns keys and values of each within its reach."""
        parts = zip(
            self.caches, self.rows, self._places, torch.split(keys, 1, 2), torch.split(values, 1, 2), strict=True
        )
        placed = [
            preallocated(cache, layer).put_at(place, key, value, _reach(rows))
            for cache, rows, place, key, value in parts
        ]
        return [key for key, _ in placed], [value for _, value in placed]


def _reach(rows: Rows) -> int:
    assert rows.mask is not None
    return rows.mask.shape[-1]


class FixedPass:
    """A pass over one new token of each of some sequences that reads all that changes from tensors."""

    def __init__(self, model: Any, pieces: Sequence[Piece]) -> None:
        """`pieces`: of one token each."""
        self._model = model
        self._reaches = [_reach_of(piece) for piece in pieces]
        self._ids = torch.zeros(1, len(pieces), dtype=torch.int64, device=model.device)
        self._places = torch.zeros(len(pieces), dtype=torch.int64, device=model.device)
        self._positions = _positions(model, pieces)

    def reaches(self, pieces: Sequence[Piece]) -> bool:
        """Whether the new token of each sequence lies within its reach."""
        return all(_place(piece) < reach for piece, reach in zip(pieces, self._reaches, strict=True))

    def fill(self, pieces: Sequence[Piece]) -> None:
        """Write what changes from pass to pass."""
        self._ids.copy_(torch.tensor([[piece.ids[-1] for piece in pieces]]))
        self._places.copy_(torch.tensor([_place(piece) for piece in pieces]))
        self._positions.copy_(_positions(self._model, pieces))

    def states(self, caches: Sequence[Cache]) -> torch.Tensor:
        """Compute the last hidden states, (1, sequences, hidden). The caches do not count the new tokens."""
        places = torch.split(self._places, 1)
        filled = [
            torch.arange(reach, device=place.device) <= place
            for reach, place in zip(self._reaches, places, strict=True)
        ]
        rows = [Rows(1, score_mask(visible, self._model.dtype)[None]) for visible in filled]
        cache = PlacedCache(caches, rows, places)
        with ragged_attention(self._model, cache):
            output = getattr(self._model, self._model.base_model_prefix)(
                input_ids=self._ids, position_ids=self._positions, past_key_values=cache, use_cache=True
            )
        return torch.as_tensor(output.last_hidden_state)


def _place(piece: Piece) -> int:
    """Where the key and value of its new token belong."""
    return int(piece.cache.get_seq_length())


def _reach_of(piece: Piece) -> int:
    """To how many places a sequence attends until a new graph is recorded."""
    wanted = -(-(_place(piece) + 1) // REACH_STEP) * REACH_STEP
    return min(wanted, preallocated(piece.cache, 0).capacity)


def _positions(model: Any, pieces: Sequence[Piece]) -> torch.Tensor:
    return torch.cat([last_positions(model, piece.ids, 1, piece.cache) for piece in pieces], dim=-1)


@dataclass(slots=True)
class _Recording:
    """A pass that was recorded. It keeps the caches of its sequences alive, also of those whose answers have ended."""

    fixed: FixedPass
    latest: list[Piece]  # of each sequence
    graph: Any  # torch.cuda.CUDAGraph
    states: torch.Tensor  # (1, sequences, hidden), which the graph writes

    def replayed(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """The states after some of the sequences, (1, pieces, hidden). The others compute what nobody needs."""
        slots = self._slots()
        at = [slots[id(piece.cache)] for piece in pieces]
        for slot, piece in zip(at, pieces, strict=True):
            self.latest[slot] = piece
        self.fixed.fill(self.latest)
        self.graph.replay()
        return self.states[:, at]

    def covers(self, caches: Sequence[Cache]) -> bool:
        """Whether it serves these sequences, without most of it being computed for nothing."""
        slots = self._slots()
        return all(id(cache) in slots for cache in caches) and 2 * len(caches) >= len(slots)

    def _slots(self) -> dict[int, int]:
        return {id(piece.cache): slot for slot, piece in enumerate(self.latest)}


class Recorder:
    """Records passes of one model and replays them. Belongs to the one thread that runs the model."""

    def __init__(self, model: Any) -> None:
        """`model`: of transformers."""
        self.is_usable = can_record(model)  # whether its passes can be recorded, as far as is known
        self._model = model
        self._passes = 0  # without a graph, one after another
        self._recording: _Recording | None = None

    @torch.inference_mode()
    def logits(self, pieces: Sequence[Piece], *, settled: bool) -> list[torch.Tensor] | None:
        """Logits of the token after each piece, (vocab,) float32 on the CPU; the pieces are added to the caches.

        None, with nothing done, if they must be computed without a graph. `settled`: no other sequence is about to join
        these, so that recording a graph for them is worth the time.
        """
        if not self.is_usable or any(piece.new > 1 for piece in pieces):
            return None
        if not self._serves(pieces):
            self._passes += 1
            if self._passes <= (0 if settled else PASSES_BEFORE):
                return None
            self._recording = self._recorded(pieces)
        if self._recording is None:
            return None
        self._passes = 0
        states = self._recording.replayed(pieces)
        for piece in pieces:
            for layer in range(len(piece.cache.layers)):
                preallocated(piece.cache, layer).count(1)
        return list(self._model.get_output_embeddings()(states)[0].float().cpu())

    def forget(self) -> None:
        """Free the memory of the graph."""
        self._passes, self._recording = 0, None

    def forget_ended(self, caches: Sequence[Cache | None]) -> None:
        """Free the memory of sequences whose caches are not among these, and of the graph that they are part of."""
        alive = {id(cache) for cache in caches}
        if self._recording and any(id(piece.cache) not in alive for piece in self._recording.latest):
            self.forget()

    def _serves(self, pieces: Sequence[Piece]) -> bool:
        """Whether the graph can be replayed for these."""
        recording = self._recording
        if recording is None or not recording.covers([piece.cache for piece in pieces]):
            return False
        return recording.fixed.reaches(recording.latest)

    def _recorded(self, pieces: Sequence[Piece]) -> _Recording | None:
        """A pass, recorded; None if that failed."""
        self._recording = None  # its memory is free for the next
        caches = [piece.cache for piece in pieces]
        fixed = FixedPass(self._model, pieces)
        fixed.fill(pieces)
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._model.device)  # type: ignore[no-untyped-call]
        try:
            # One pass without recording: libraries allocate on first use, which a graph does not allow.
            stream.wait_stream(torch.cuda.current_stream(self._model.device))
            with torch.cuda.stream(stream):
                fixed.states(caches)
            # Other threads may use the GPU meanwhile, for embedding.
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                states = fixed.states(caches)
        except torch.OutOfMemoryError:
            logger.info("There is no memory for a CUDA graph; the next tokens are computed without one.")
            self._passes = -PASSES_AFTER_FAILURE
            return None
        except RuntimeError as error:
            logger.warning("CUDA graphs are not used, because recording one failed: %s", error)
            self.is_usable = False
            return None
        return _Recording(fixed, list(pieces), graph, states)


def can_record(model: Any) -> bool:
    """Whether passes of a model can be recorded: on one NVIDIA GPU, and without a matrix in LLM.int8.

    That waits for the GPU to tell which activations are large.
    """
    if model.device.type != "cuda" or torch.version.hip or model.config.model_type not in RECORDABLE:
        return False
    base: nn.Module = getattr(model, model.base_model_prefix)
    one_device = len({tensor.device for tensor in (*base.parameters(), *base.buffers())}) == 1
    waits = any(type(module).__name__ == "Linear8bitLt" for module in base.modules())
    return one_device and not waits and supports_ragged(model) and has_plain_attention(model.config)
