"""`python -m model.finetune NAME PAIRS.jsonl --out FOLDER`: train an adapter of a GLM on your own questions.

P-Tuning v2 (a learned prefix, for a model in any precision) or LoRA (for one in 16 bits). Ctrl-C keeps the epochs that
are done; --resume continues from there. The model's own files are not changed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.adapters import Method
from model.assemble import dimensions_of
from model.command_line import Percents, add_checkpoint_options
from model.device import free_bytes
from model.families import GB, Precision
from model.finetune.memory import training_memory
from model.finetune.pairs import Example, Pair, example, read_pairs, split
from model.finetune.train import PLOT, Base, Trainer, TrainingSettings
from model.load import PreparedModel, prepare
from model.load_settings import LoadSettings, Source
from model.prompt import Prompter
from rag.errors import AskError, OutOfMemory, SettingRefused

log = logging.getLogger("finetune")

DEFAULT = TrainingSettings()
LORA_RATE = 2e-4  # learning rate; that of P-Tuning v2 is the default of the settings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m model.finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_checkpoint_options(made)
    made.add_argument("pairs", type=Path, help="file of pairs, JSON lines: question, answer and sources")
    made.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the adapter")
    made.add_argument("--method", choices=tuple(Method), default=DEFAULT.method, help="default: %(default)s")
    made.add_argument(
        "--epochs", type=int, default=DEFAULT.epochs, help="maximum passes over the pairs; default: %(default)s"
    )
    made.add_argument("--rate", type=float, help=f"learning rate; default: {DEFAULT.rate}, with LoRA {LORA_RATE}")
    made.add_argument(
        "--longest", type=int, default=DEFAULT.longest, help="tokens of the longest pair; default: %(default)s"
    )
    made.add_argument(
        "--prefix-tokens", type=int, default=DEFAULT.prefix_tokens, help="of P-Tuning v2; default: %(default)s"
    )
    made.add_argument("--rank", type=int, default=DEFAULT.rank, help="of LoRA; default: %(default)s")
    made.add_argument(
        "--held-out", type=float, default=DEFAULT.held_out, help="share that only measures; default: %(default)s"
    )
    made.add_argument("--seed", type=int, default=DEFAULT.seed, help="of order and start values; default: %(default)s")
    made.add_argument("--resume", action="store_true", help="continue the interrupted run in FOLDER")
    return made


def settings_of(options: argparse.Namespace) -> TrainingSettings:
    """The settings of a command line. Raises SettingRefused for numbers that make no sense."""
    method = Method(options.method)
    rate = options.rate if options.rate is not None else LORA_RATE if method is Method.LORA else DEFAULT.rate
    for name in ("epochs", "longest", "prefix_tokens", "rank"):
        if getattr(options, name) < 1:
            raise SettingRefused(
                "{option} is {value}, it must be at least 1.",
                option=f"--{name.replace('_', '-')}",
                value=getattr(options, name),
            )
    if not 0 <= options.held_out < 1:
        raise SettingRefused("--held-out is {value}, it must be from 0 to below 1.", value=options.held_out)
    return TrainingSettings(
        method=method,
        epochs=options.epochs,
        rate=rate,
        longest=options.longest,
        held_out=options.held_out,
        prefix_tokens=options.prefix_tokens,
        rank=options.rank,
        seed=options.seed,
    )


def examples_of(pairs: Sequence[Pair], prompter: Prompter, end: int, longest: int) -> list[Example]:
    """The pairs that are short enough, as token ids. Raises SettingRefused if none is."""
    found = [example(pair, prompter, end, longest) for pair in pairs]
    kept = [one for one in found if one is not None]
    if not kept:
        raise SettingRefused(
            "All {count} pairs are longer than {tokens} tokens: raise --longest.", count=len(pairs), tokens=longest
        )
    if len(kept) < len(pairs):
        log.warning(
            "%d of %d pairs are longer than %d tokens and are left out", len(pairs) - len(kept), len(pairs), longest
        )
    return kept


def check_memory(prepared: PreparedModel, precision: str, settings: TrainingSettings) -> str:
    """The precision to train in: `precision`, or for "auto" the best that fits. Raises OutOfMemory."""
    free = free_bytes(prepared.device)
    choice = prepared.choose(precision)
    wanted = [choice.precision] if precision != "auto" else [choice.precision, Precision.INT8, Precision.INT4]
    for one in dict.fromkeys(wanted):
        needed = training_memory(dimensions_of(prepared.config), one, settings, prepared.device).total
        if free is None or needed <= free:
            return str(one)
    raise OutOfMemory(
        "Training {model} by {method} in {precision} with pairs of {tokens} tokens takes {needed:.1f} GB, and"
        " {free:.1f} GB are free on {device}: lower --longest, or choose a smaller model or --precision int4.",
        model=prepared.name,
        method=str(settings.method),
        precision=one.upper(),
        tokens=settings.longest,
        needed=needed / GB,
        free=(free or 0) / GB,
        device=str(prepared.device),
    )


def run(options: argparse.Namespace) -> None:
    """Train and write the adapter. Raises AskError."""
    settings = settings_of(options)
    pairs = read_pairs(options.pairs)
    source = Source(cache_dir=options.cache_dir, offline=options.offline, progress=Percents("downloaded"))
    prepared = prepare(options.name, LoadSettings(device=options.device), source)
    precision = check_memory(prepared, options.precision, settings)
    reader = prepared.load(prepared.choose(precision), Percents("loaded"))
    end = answer_end(reader.stop_ids, reader.tokenizer.special_tokens)
    learning, measuring = split(
        examples_of(pairs, reader.prompter, end, settings.longest), settings.held_out, settings.seed
    )
    trainer = Trainer(reader.model, settings, options.out)
    if options.resume and (done := trainer.resume()):
        log.info("going on after epoch %d", done)
    log.info("%s: %d pairs to learn from, %d held out", reader.name, len(learning), len(measuring))
    epochs = trainer.train(learning, measuring, Base(prepared.name, _model(options.name)), _write_progress)
    log.info("%d epochs; adapter and %s are in %s", len(epochs), PLOT, options.out)


def _model(name: str) -> str:
    """A hub id as it is, a folder as an absolute path."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def answer_end(stop_ids: frozenset[int], special_tokens: Mapping[str, int]) -> int:
    """The token that ends an answer: the one that starts a person's next turn, if there is one."""
    user = special_tokens.get("<|user|>")
    return user if user in stop_ids else min(stop_ids)


def _write_progress(epoch: int, done: int, total: int) -> None:
    sys.stderr.write(f"\repoch {epoch + 1}: {done} of {total} pairs" + ("\n" if done == total else ""))
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run(parser().parse_args(arguments))
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; --resume continues after the last epoch\n")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
