"""Keeps what a model has computed for prompts, so that one that starts the same is read only from where it differs.

Keys and values are kept in blocks of tokens. A block is found by a digest of its tokens, of all tokens before them and
of the scope it may be shared in (Kwon et al. 2023, "PagedAttention", arXiv:2309.06180, and vLLM's automatic prefix
caching, whose `cache_salt` is the scope here). The least recently used blocks are dropped first, those at the end of a
prompt before those at its start. Does not know text.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers.cache_utils import Cache

from model.families import BIDIRECTIONAL_TYPES
from model.kv_cache import Parts, has_plain_attention, preallocated
from model.learned_prefix import learned_tokens
from rag.reader import NOT_SHARED, PromptCacheUsage, PromptScopes

BLOCK: Final = 64  # tokens
_NOTHING_BEFORE: Final = bytes(32)  # in place of the key of the block before


class PromptBlocks:
    """The blocks of one prompt and its answer, and the keys under which they are kept."""

    def __init__(self, ids: list[int], scopes: PromptScopes = NOT_SHARED, common: int = 0) -> None:
        """`ids`: of the prompt; those of the answer are added as they come.

        `common`: how many of them, from the first, come only from instruction and sources.
        """
        self.ids = ids
        self.prompt_tokens = len(ids)
        self.reused = 0  # tokens that were not read again
        self._scopes, self._common = scopes, common
        self._keys: list[bytes] = []

    def keys(self, tokens: int) -> Sequence[bytes]:
        """The keys of the blocks filled by the first `tokens`, up to the first block that is shared with nobody."""
        while (at := len(self._keys)) < tokens // BLOCK:
            end = (at + 1) * BLOCK
            scope = self._scopes.sources if end <= self._common else self._scopes.conversation
            if scope is None:
                break
            before = self._keys[-1] if self._keys else _NOTHING_BEFORE
            hashed = hashlib.sha256(before + array("q", self.ids[end - BLOCK : end]).tobytes())
            hashed.update(scope.encode("utf-8", "surrogatepass"))
            self._keys.append(hashed.digest())
        return self._keys[: tokens // BLOCK]

    def documents(self, block: int) -> frozenset[str] | None:
        """The documents from which a block may hold sources; None for one of the conversation."""
        return self._scopes.documents if (block + 1) * BLOCK <= self._common else None


@dataclass(slots=True)
class _Block:
    """Keys and values of BLOCK tokens."""

    documents: frozenset[str] | None  # documents from which it may hold sources; None: it is part of a conversation
    states: tuple[Parts, ...]  # for each device: what its layers store, (layers, heads, BLOCK, channels) each

    @property
    def bytes(self) -> int:
        return sum(part.nbytes for parts in self.states for part in parts)


class PromptCache:
    """What is kept of the prompts of one model. Thread-safe."""

    def __init__(self, model: Any, most_bytes: int) -> None:
        """`most_bytes`: memory that it may take; nothing is kept with 0, and of a model that `can_reuse` nothing."""
        self._devices = _devices(model) if most_bytes and can_reuse(model) else []
        self._most = self._allowed = most_bytes if self._devices else 0
        self._lock = threading.Lock()
        self._blocks: OrderedDict[bytes, _Block] = OrderedDict()  # least recently used first
        self._bytes = self._read = self._reused = 0

    @property
    def usage(self) -> PromptCacheUsage:
        """How much it takes, and how much it has saved."""
        with self._lock:
            return PromptCacheUsage(self._bytes, self._most, self._read, self._reused)

    def known(self, blocks: PromptBlocks) -> int:
        """How many tokens of a prompt are kept; at least its last token has to be read."""
        with self._lock:
            return len(self._found(blocks)) * BLOCK

    def next_key(self, blocks: PromptBlocks, read: int) -> bytes | None:
        """The key of the block of a prompt that is read next, if it will be kept; `read`: tokens so far."""
        keys = blocks.keys(blocks.prompt_tokens) if self._devices else ()
        return keys[read // BLOCK] if read // BLOCK < len(keys) else None

    @torch.inference_mode()
    def restore(self, blocks: PromptBlocks, cache: Cache) -> None:
        """Copy what is kept of a prompt to its cache, which is empty except for a learned prefix."""
        with self._lock:
            found = self._found(blocks)
            self._touch(found)
            states = [self._blocks[key].states for key in found]
            blocks.reused = len(found) * BLOCK
            self._reused += blocks.reused
            self._read += blocks.prompt_tokens - blocks.reused
        for of_devices in states:
            for layers, parts in zip(self._devices, of_devices, strict=True):
                for at, layer in enumerate(layers):
                    preallocated(cache, layer).put(tuple(part[at : at + 1] for part in parts))

    @torch.inference_mode()
    def keep(self, blocks: PromptBlocks, cache: Cache) -> None:
        """Keep what has been computed so far of a prompt and its answer, as far as there is room."""
        if not self._devices:
            return
        learned = learned_tokens(cache)
        keys = blocks.keys(int(cache.get_seq_length()) - learned)
        with self._lock:
            self._touch(keys)
            own = set(keys)
            for at, key in enumerate(keys):
                documents = blocks.documents(at)
                if known := self._blocks.get(key):
                    known.documents = _in_both(known.documents, documents)
                    continue
                block = self._copied(cache, learned + at * BLOCK, documents)
                if not self._make_room(block.bytes, own):
                    break
                self._blocks[key] = block
                self._bytes += block.bytes
            self._touch(keys)

    def allow(self, most_bytes: int) -> None:
        """Take at most this much for now, and drop the rest."""
        with self._lock:
            self._allowed = min(self._most, max(most_bytes, 0))
            self._make_room(0, set())

    def clear(self) -> int:
        """Drop everything; returns the bytes that it took."""
        with self._lock:
            freed, self._bytes = self._bytes, 0
            self._blocks.clear()
            return freed

    def forget(self, document: str) -> None:
        """Drop what may hold sources from a document, and all conversations."""
        with self._lock:
            for key, block in list(self._blocks.items()):
                if block.documents is None or document in block.documents:
                    self._bytes -= self._blocks.pop(key).bytes

    # ---- under the lock

    def _found(self, blocks: PromptBlocks) -> list[bytes]:
        found: list[bytes] = []
        for key in blocks.keys(blocks.prompt_tokens - 1):
            if key not in self._blocks:
                break
            found.append(key)
        return found

    def _touch(self, keys: Sequence[bytes]) -> None:
        """Note that these blocks of a prompt were used, the first most recently: the others are useless without it."""
        for key in reversed(keys):
            if key in self._blocks:
                self._blocks.move_to_end(key)

    def _make_room(self, needed: int, spared: set[bytes]) -> bool:
        """Drop the least recently used blocks; False if only blocks to be spared are left."""
        while self._bytes + needed > self._allowed:
            oldest = next(iter(self._blocks), None)
            if oldest is None or oldest in spared:
                return False
            self._bytes -= self._blocks.pop(oldest).bytes
        return True

    def _copied(self, cache: Cache, start: int, documents: frozenset[str] | None) -> _Block:
        """A copy of BLOCK tokens from `start` of a cache of one sequence."""

        def stacked(layers: Sequence[int]) -> Parts:
            stored = [preallocated(cache, layer).taken(start, start + BLOCK) for layer in layers]
            return tuple(torch.cat(parts) for parts in zip(*stored, strict=True))

        return _Block(documents, tuple(stacked(layers) for layers in self._devices))


def _in_both(known: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The documents from which a block that occurs in two prompts may hold sources."""
    if known is None or other is None:
        return other if known is None else known
    return known & other


def can_reuse(model: Any) -> bool:
    """Whether what a model computes for the start of a prompt does not depend on what follows, and can be kept."""
    if model.config.model_type in BIDIRECTIONAL_TYPES:
        return False
    return has_plain_attention(model.config)


def _devices(model: Any) -> list[list[int]]:
    """The numbers of the layers on each device, in order."""
    layers: dict[torch.device, list[int]] = {}
    for at, layer in enumerate(getattr(model, model.base_model_prefix).layers):
        layers.setdefault(next(layer.parameters()).device, []).append(at)
    return list(layers.values())
