"""The training loop: pairs one at a time, a step for every few of them, until the held-out loss no longer falls.

Everything is saved after each epoch, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

import json
import logging
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional

from model.adapters import TRAINING, Method, import_peft
from model.device import torch_errors
from model.finetune.frozen import is_quantised, trainable_through
from model.finetune.loss_plot import loss_plot
from model.finetune.pairs import Example
from model.learned_prefix import LearnedPrefix, inputs_behind
from rag.errors import ReaderError, SettingRefused
from rag.messages import Message

log = logging.getLogger(__name__)

STATE: Final = "state.pt"  # of a run that has not ended
PLOT: Final = "loss.svg"
_TRAINING: Final = Message("training")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How an adapter is trained."""

    method: Method = Method.P_TUNING
    epochs: int = 20  # maximum passes over the pairs
    rate: float = 1e-2  # learning rate of AdamW at the start; it falls to a tenth, linearly
    step_pairs: int = 8  # pairs whose gradients are summed before each step
    longest: int = 2048  # tokens of question, sources and answer; longer pairs are left out
    held_out: float = 0.1  # share of the pairs that are only measured
    patience: int = 3  # epochs without a lower held-out loss before training ends
    prefix_tokens: int = 64  # P-Tuning v2
    rank: int = 8  # LoRA
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """The model for which an adapter is trained."""

    name: str  # as people see it
    model: str  # hub id or folder


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the pairs: mean losses per token of the answers, in nats."""

    loss: float
    held_out: float | None  # None: nothing is held out


@dataclass
class _State:
    """What is needed to continue a run."""

    epochs: list[Epoch] = field(default_factory=list)
    best: dict[str, torch.Tensor] = field(default_factory=dict)  # trained tensors of the best epoch
    best_epoch: int = -1


Progress = Callable[[int, int, int], None]  # epochs done, pairs of this one done, pairs in total


class Trainer:
    """Trains one adapter for one model."""

    def __init__(self, model: Any, settings: TrainingSettings, folder: Path) -> None:
        """`folder`: of the adapter. Raises ReaderError if the method cannot be used with this model."""
        self._settings, self._folder = settings, folder
        self._base = model
        self._adapted = _adapted(model, settings)
        self._optimizer = torch.optim.AdamW(_trained(self._adapted).values(), lr=settings.rate, weight_decay=0.0)
        self._state = _State()

    def resume(self) -> int:
        """Continue the interrupted run in this folder; returns its number of epochs, 0 if there is none.

        Raises SettingRefused if that run had other settings.
        """
        path = self._folder / STATE
        if not path.exists():
            return 0
        saved = torch.load(path, weights_only=True)
        if saved["settings"] != _plain(self._settings):
            raise SettingRefused(
                "The run in {folder} was started with other options: use the same ones, or choose another folder.",
                folder=str(self._folder),
            )
        self._restore(saved["tensors"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._state = _State([Epoch(*both) for both in saved["epochs"]], saved["best"], saved["best_epoch"])
        return len(self._state.epochs)

    def train(
        self, learning: Sequence[Example], measuring: Sequence[Example], base: Base, progress: Progress | None = None
    ) -> list[Epoch]:
        """Train until the end, and write the adapter. Raises OutOfMemory and ReaderError."""
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        with torch_errors(_TRAINING), trainable_through(self._base):
            while len(self._state.epochs) < self._settings.epochs and not self._has_ended():
                loss = self._learn(learning, progress)
                held_out = self._measure(measuring) if measuring else None
                self._note(Epoch(loss, held_out))
        self._restore(self._state.best)
        self._adapted.save_pretrained(self._folder)
        (self._folder / "README.md").unlink(missing_ok=True)  # an empty form from peft
        self._describe(base, len(learning) + len(measuring), time.monotonic() - began)
        (self._folder / STATE).unlink(missing_ok=True)
        return self._state.epochs

    # ---- one epoch

    def _learn(self, examples: Sequence[Example], progress: Progress | None) -> float:
        """One pass over the examples in random order; returns the mean loss per token."""
        done, settings = len(self._state.epochs), self._settings
        for group in self._optimizer.param_groups:
            group["lr"] = settings.rate * (1 - 0.9 * done / settings.epochs)
        order = random.Random(settings.seed + done).sample(range(len(examples)), len(examples))
        total, tokens = 0.0, 0
        for start in range(0, len(order), settings.step_pairs):
            batch = [examples[at] for at in order[start : start + settings.step_pairs]]
            count = sum(len(one.answer) for one in batch)
            for one in batch:
                loss = self._loss(one)
                (loss / count).backward()  # type: ignore[no-untyped-call]
                total += loss.item()
            torch.nn.utils.clip_grad_norm_(_trained(self._adapted).values(), 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad()
            tokens += count
            if progress:
                progress(done, start + len(batch), len(order))
        return total / tokens

    @torch.no_grad()
    def _measure(self, examples: Sequence[Example]) -> float:
        return sum(self._loss(one).item() for one in examples) / sum(len(one.answer) for one in examples)

    def _loss(self, one: Example) -> torch.Tensor:
        """The summed cross-entropy of an answer's tokens."""
        device = self._base.device
        ids = torch.tensor([[*one.prompt, *one.answer]], device=device)
        prefix: LearnedPrefix = ()
        if self._settings.method is Method.P_TUNING:
            prefix = tuple((layer.keys, layer.values) for layer in self._adapted.get_prompt(1).layers)
        inputs = inputs_behind(self._base, ids, prefix)
        # The token before the answer predicts its first one; the prediction after the last is ignored.
        logits = self._base(**inputs, logits_to_keep=len(one.answer) + 1).logits[0, :-1].float()
        loss = functional.cross_entropy(logits, torch.tensor(one.answer, device=device), reduction="sum")
        if not bool(torch.isfinite(loss)):
            raise ReaderError("The loss is not finite: choose a lower --rate, or another precision.")
        return loss

    # ---- what is kept

    def _note(self, epoch: Epoch) -> None:
        """Add an epoch, and save what is needed to continue after it."""
        state = self._state
        state.epochs.append(epoch)
        if state.best_epoch < 0 or _judged(epoch) < _judged(state.epochs[state.best_epoch]):
            state.best = {name: one.detach().cpu().clone() for name, one in _trained(self._adapted).items()}
            state.best_epoch = len(state.epochs) - 1
        unfinished = self._folder / f"{STATE}.unfinished"
        torch.save(
            {
                "settings": _plain(self._settings),
                "tensors": {name: one.detach().cpu() for name, one in _trained(self._adapted).items()},
                "optimizer": self._optimizer.state_dict(),
                "epochs": [(one.loss, one.held_out) for one in state.epochs],
                "best": state.best,
                "best_epoch": state.best_epoch,
            },
            unfinished,
        )
        unfinished.replace(self._folder / STATE)
        (self._folder / PLOT).write_text(loss_plot(state.epochs), "utf-8")

    def _has_ended(self) -> bool:
        """Whether the loss has not fallen for some epochs."""
        return len(self._state.epochs) - 1 - self._state.best_epoch >= self._settings.patience

    @torch.no_grad()
    def _restore(self, tensors: dict[str, torch.Tensor]) -> None:
        for name, parameter in _trained(self._adapted).items():
            parameter.copy_(tensors[name])

    def _describe(self, base: Base, pairs: int, seconds: float) -> None:
        described = {
            "base": base.name,
            "model": base.model,
            "pairs": pairs,
            "seconds": round(seconds, 1),
            "best_epoch": self._state.best_epoch + 1,
            "epochs": [asdict(one) for one in self._state.epochs],
            "settings": _plain(self._settings),
        }
        (self._folder / TRAINING).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _adapted(model: Any, settings: TrainingSettings) -> Any:
    """The model with an untrained adapter, by peft; its own weights are frozen."""
    peft = import_peft()
    torch.manual_seed(settings.seed)
    if settings.method is Method.P_TUNING:
        config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=settings.prefix_tokens)
    else:
        if is_quantised(model):
            raise ReaderError(
                "LoRA trains INT8 and INT4 models on a GPU only: add --precision bf16, or --method p-tuning."
            )
        config = peft.LoraConfig(
            task_type="CAUSAL_LM", r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads an attribute that transformers has renamed
        adapted = peft.get_peft_model(model, config)
    if settings.method is Method.P_TUNING:  # peft starts with a deviation of 1, larger than most keys
        with torch.no_grad():
            for parameter in _trained(adapted).values():
                parameter.mul_(0.1)
    return adapted


def _trained(adapted: Any) -> dict[str, torch.nn.Parameter]:
    """The parameters that training changes, by name."""
    return {name: one for name, one in adapted.named_parameters() if one.requires_grad}


def _judged(epoch: Epoch) -> float:
    return epoch.loss if epoch.held_out is None else epoch.held_out


def _plain(settings: TrainingSettings) -> dict[str, Any]:
    return {**asdict(settings), "method": str(settings.method)}
