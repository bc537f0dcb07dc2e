"""Generates the answers of several people together: their prompts and next tokens share passes of the model.

A sequence joins and leaves while the others continue (iteration-level scheduling: Yu et al. 2022, "Orca", OSDI). Short
prompts are read together, long ones in chunks (`model.passes`). Between two passes that read, the answers being written
get more tokens, for half the time that reading took, so that nobody waits long (Agrawal et al. 2024, "Sarathi-Serve",
OSDI). A pass that reads also computes their next tokens, unless passes that only write are recorded (`model.recorded`):
those take less time than their tokens add to another pass.

One thread runs the model for as long as somebody waits for a token. Does not know text or prompts.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from transformers.cache_utils import Cache

from model.assemble import dimensions_of
from model.device import free_bytes, torch_errors
from model.families import BIDIRECTIONAL_TYPES, KvPrecision
from model.generate import DECODING, PREFILL, PromptStopped
from model.kv_cache import preallocated_cache, truncate
from model.learned_prefix import LearnedPrefix, learned_tokens
from model.passes import Piece, pass_limits, rows_to_read, run_together
from model.prompt_cache import BLOCK, PromptBlocks, PromptCache
from model.ragged import supports_ragged
from model.recorded import Recorder
from model.sampling import make_sampler
from rag.bugs import bugs_become
from rag.errors import AskError, OutOfMemory, ReaderError
from rag.reader import Sampling

MAX_SEQUENCES: Final = 16  # generated at the same time; others wait
POLL_SECONDS: Final = 0.05  # between checks whether an answer was stopped, while it waits for a token
DECODING_SHARE: Final = 0.5  # share of the time of a reading pass that answers being written get before the next one
CACHE_SHARE: Final = 0.8  # share of the memory free while nothing is generated, for keys and values


@dataclass(frozen=True, slots=True)
class _Ended:
    """There are no more tokens; `error` says why, if something went wrong."""

    error: AskError | None = None


@dataclass(eq=False)
class _Sequence:
    """An answer that is being generated, or waits for that."""

    blocks: PromptBlocks  # of the prompt and, as they come, of the answer
    sampling: Sampling
    stop_ids: frozenset[int]
    stop: threading.Event
    tokens: queue.SimpleQueue[int | _Ended] = field(default_factory=queue.SimpleQueue)
    is_left: bool = False  # nobody wants its tokens any more
    is_ended: bool = False
    cache: Cache | None = None
    computed: int = 0  # number of its tokens in the cache
    logits: torch.Tensor | None = None  # (vocab,) for the next token, until that is yielded
    given: int = 0  # number of tokens of the answer

    def __post_init__(self) -> None:
        self.ids = self.blocks.ids
        self.capacity = len(self.ids) + self.sampling.max_tokens  # tokens
        self.sample = make_sampler(self.sampling, self.ids)

    def stopped(self) -> bool:
        """Whether its tokens are no longer wanted."""
        return self.is_left or self.stop.is_set()

    def end(self, error: AskError | None = None) -> None:
        """Yield no more tokens, and free the memory."""
        self.cache, self.logits, self.is_ended = None, None, True
        self.tokens.put(_Ended(error))


class Batch:
    """Generates all answers of one model. Thread-safe."""

    def __init__(
        self,
        model: Any,
        prefix: LearnedPrefix = (),
        *,
        most: int = MAX_SEQUENCES,
        prompt_cache_bytes: int = 0,
        kv: KvPrecision = KvPrecision.FULL,
    ) -> None:
        """`model`: of transformers; `prefix`: of an adapter, placed before every prompt.

        `most`: sequences generated at the same time; `prompt_cache_bytes`: memory for what is kept of prompts; `kv`: of
        keys and values.
        """
        self.prompt_cache = PromptCache(model, prompt_cache_bytes)
        self._model, self._prefix, self._most, self._kv = model, prefix, most, kv
        self._together, self._recorder = supports_ragged(model), Recorder(model)
        self._limits = pass_limits(model.device)
        self._in_one_piece = model.config.model_type in BIDIRECTIONAL_TYPES
        self._token_bytes = dimensions_of(model.config).kv_bytes_per_token(model.dtype.itemsize, kv)
        self._condition = threading.Condition()  # guards the lists of waiting sequences, and the thread
        self._waiting: list[_Sequence] = []
        self._working = False
        self._running: list[_Sequence] = []  # in order of arrival; this and the next two belong to the thread
        self._first_waited = False  # the last reading pass had nothing of the prompt that came first
        self._budget: int | None = None  # bytes for keys and values; None: unknown

    @property
    def counts(self) -> tuple[int, int]:
        """How many answers are being generated, and how many wait for memory or for their turn."""
        with self._condition:
            return len(self._running), len(self._waiting)

    def generate(
        self, prompt: Sequence[int] | PromptBlocks, sampling: Sampling, stop_ids: frozenset[int], stop: threading.Event
    ) -> Iterator[int]:
        """Yield the tokens that follow a prompt, until one of `stop_ids`, `sampling.max_tokens` or `stop`.

        Results computed for a prompt given as blocks are kept for its scopes; those for one given as ids are kept for
        nobody. An iterator that is closed or dropped leaves the batch. Raises ReaderError, and OutOfMemory if the
        prompt does not fit on the device.
        """
        if stop.is_set() or sampling.max_tokens < 1:
            return
        blocks = prompt if isinstance(prompt, PromptBlocks) else PromptBlocks(list(prompt))
        sequence = _Sequence(blocks, sampling, stop_ids, stop)
        self._enter(sequence)
        try:
            while not stop.is_set():
                try:
                    token = sequence.tokens.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if isinstance(token, int):
                    yield token
                elif token.error is None:
                    return
                else:
                    raise token.error
        finally:
            sequence.is_left = True

    def _enter(self, sequence: _Sequence) -> None:
        with self._condition:
            self._waiting.append(sequence)
            if not self._working:
                self._working = True
                threading.Thread(target=self._work, name="generating", daemon=True).start()

    # ---- the thread

    def _work(self) -> None:
        """Generate until nobody waits for a token."""
        try:
            with _errors_told():
                credit = 0.0  # seconds that may be spent on the answers being written before more is read
                while self._admit():
                    began = time.perf_counter()
                    is_read = self._advance(reading=True)
                    now = time.perf_counter()
                    credit = credit + DECODING_SHARE * (now - began) if is_read else 0.0
                    while credit > 0 and self._advance(reading=False):
                        began, now = now, time.perf_counter()
                        credit -= now - began
                    credit = min(credit, 0.0)
        except AskError as error:
            self._fail(error)

    def _fail(self, error: AskError) -> None:
        """Give up: no answer continues."""
        with self._condition:
            for sequence in (*self._running, *self._waiting):
                sequence.end(error)
            self._running, self._waiting = [], []
            self._recorder.forget()
            self._working = False

    def _admit(self) -> bool:
        """Admit waiting sequences as far as memory allows; False if there is nothing to do, and the thread ends."""
        with self._condition:
            self._running = _wanted(self._running)
            self._waiting = _wanted(self._waiting)
            if self._waiting:
                self._recorder.forget_ended([one.cache for one in self._running])
            while self._waiting and self._has_room(self._waiting[0]):
                self._running.append(self._waiting.pop(0))
            if self._budget is not None:  # answers take precedence over what is kept
                self.prompt_cache.allow(self._budget - self._needed(self._running))
            self._working = bool(self._running)
            if not self._working:
                self._recorder.forget()
            return self._working

    def _has_room(self, sequence: _Sequence) -> bool:
        """Whether its keys and values fit next to those of the others; the first may try in any case."""
        if not self._running:
            free = free_bytes(self._model.device)
            self._budget = None if free is None else int((free + self.prompt_cache.usage.bytes) * CACHE_SHARE)
            return True
        fits = self._budget is None or self._needed([*self._running, sequence]) <= self._budget
        return fits and len(self._running) < self._most

    def _needed(self, sequences: Sequence[_Sequence]) -> int:
        """Bytes of their keys and values."""
        return int(self._token_bytes) * sum(one.capacity for one in sequences)

    def _advance(self, *, reading: bool) -> bool:
        """Yield the next token of every answer being written, and compute the one after it; read on if `reading`.

        Where passes that write are recorded, one that reads does not write. Returns whether something was read or,
        without `reading`, whether any answer is being written.
        """
        for sequence in self._running:
            self._give(sequence)
        self._running = _wanted(self._running)
        prompts = self._chosen() if reading else []
        apart = bool(prompts) and self._recorder.is_usable
        writing = [] if apart else [(one, 1) for one in self._running if one.given]
        self._run([*writing, *prompts])
        return bool(prompts if reading else writing)

    def _give(self, sequence: _Sequence) -> None:
        """Sample the next token of a sequence whose logits are known, which may end it."""
        if sequence.logits is None or sequence.stopped():
            return
        try:
            with _errors_told(), torch_errors(DECODING):
                token = sequence.sample(sequence.logits)
        except AskError as error:
            sequence.end(error)
            return
        if token in sequence.stop_ids:
            sequence.end()
            return
        sequence.tokens.put(token)
        sequence.ids.append(token)
        sequence.given, sequence.logits = sequence.given + 1, None
        if sequence.given == sequence.sampling.max_tokens:
            sequence.end()

    def _chosen(self) -> list[tuple[_Sequence, int]]:
        """The prompts to read from in the next pass, with the number of tokens of each."""
        sequences, unread, begins = [], [], set()
        for one in self._running:
            if one.given:
                continue
            known = self.prompt_cache.known(one.blocks) if one.cache is None else one.computed
            begin = self.prompt_cache.next_key(one.blocks, known)
            if one.cache is None and begin in begins:
                continue  # it continues like an earlier one, which will provide what is read now
            if begin is not None:
                begins.add(begin)
            sequences.append(one)
            unread.append(len(one.ids) - known)
        rows = rows_to_read(unread, self._limits, first_waited=self._first_waited, in_one_piece=self._in_one_piece)
        self._first_waited = bool(rows) and not rows[0]
        return [(one, count) for one, count in zip(sequences, rows, strict=True) if count]

    def _run(self, parts: Sequence[tuple[_Sequence, int]]) -> None:
        """Compute the next tokens of some sequences, so many of each. Those that fail end; the others do not."""
        parts = [(one, min(count, len(one.ids) - one.computed)) for one, count in parts if not one.is_ended]
        parts = [(one, count) for one, count in parts if count]
        if len(parts) > 1 and not self._together:
            self._run_apart(parts)
        elif parts:
            try:
                with _errors_told(), torch_errors(DECODING if all(one.given for one, _ in parts) else PREFILL):
                    self._compute(parts)
            except PromptStopped:
                _undo(parts)
            except AskError as error:
                _undo(parts)
                if isinstance(error, OutOfMemory) and self.prompt_cache.clear():
                    self._run(parts)
                elif len(parts) > 1:
                    self._run_apart(parts)
                else:
                    parts[0][0].end(error)

    def _run_apart(self, parts: Sequence[tuple[_Sequence, int]]) -> None:
        for part in parts:
            self._run([part])

    def _compute(self, parts: Sequence[tuple[_Sequence, int]]) -> None:
        """The pass itself: fills caches, and sets the logits of sequences whose tokens are all computed."""
        pieces = []
        for one, count in parts:
            cache = self._begun(one)
            count = min(count, len(one.ids) - one.computed)
            pieces.append(Piece(one.ids[: one.computed + count], count, cache))
        rows = sum(piece.new for piece in pieces)

        def stopped() -> bool:
            """Whether most of the work is for nobody; the others' share of it is then repeated."""
            return 2 * sum(piece.new for (one, _), piece in zip(parts, pieces, strict=True) if one.stopped()) > rows

        settled = all(one.given for one in self._running)
        logits = self._recorder.logits(pieces, settled=settled) or run_together(self._model, pieces, stopped)
        for (one, _), piece, row in zip(parts, pieces, logits, strict=True):
            one.computed = len(piece.ids)
            one.logits = row if one.computed == len(one.ids) else None
        for (one, _), piece in zip(parts, pieces, strict=True):
            if not one.given or one.computed % BLOCK == 0:  # of an answer, whenever it fills a block
                self.prompt_cache.keep(one.blocks, piece.cache)

    def _begun(self, sequence: _Sequence) -> Cache:
        """The cache of a sequence, with what is kept of its prompt."""
        if sequence.cache is None:
            sequence.cache = preallocated_cache(self._model.config, sequence.capacity, self._prefix, self._kv)
            self.prompt_cache.restore(sequence.blocks, sequence.cache)
            sequence.computed = sequence.blocks.reused
        return sequence.cache


def _undo(parts: Sequence[tuple[_Sequence, int]]) -> None:
    """Forget what a failed pass has left in the caches."""
    for one, _ in parts:
        if one.cache is not None:
            truncate(one.cache, learned_tokens(one.cache) + one.computed)


def _wanted(sequences: Sequence[_Sequence]) -> list[_Sequence]:
    """Those that continue; sequences whose tokens are no longer wanted end."""
    for sequence in sequences:
        if sequence.stopped() and not sequence.is_ended:
            sequence.end()
    return [sequence for sequence in sequences if not sequence.is_ended]


def _errors_told() -> Any:
    bug = ReaderError("The model failed because of an error in the program; see the log.")
    return bugs_become(bug, PromptStopped)
