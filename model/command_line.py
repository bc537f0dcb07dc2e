"""Options shared by the command lines that use one model: which model, and how it is loaded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model.families import KvPrecision
from rag.reader import Sampling

if TYPE_CHECKING:
    from model.reader import GlmReader

MB = 1_000_000
KEPT = Path.home() / ".cache" / "ask-your-pdfs" / "quantised"  # the page keeps them there, too


def add_checkpoint_options(parser: argparse.ArgumentParser) -> None:
    """Add the name of a model, where to find it, and its precision and device."""
    parser.add_argument("name", help="folder or hub id of a GLM, such as zai-org/GLM-4-9B-0414")
    parser.add_argument("--precision", default="auto", help="auto, bf16, fp16, fp32, int8 or int4 (default: auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: auto)")
    parser.add_argument("--offline", action="store_true", help="do not download")
    parser.add_argument("--cache-dir", type=Path, help="folder for downloads")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_model` reads."""
    add_checkpoint_options(parser)
    parser.add_argument("--adapter", type=Path, metavar="FOLDER", help="adapter of `python -m model.finetune`")
    parser.add_argument("--context", type=int, help="longest prompt and answer together, in tokens")
    parser.add_argument(
        "--kv-precision",
        type=KvPrecision,
        choices=list(KvPrecision),
        default=KvPrecision.FULL,
        help="precision of keys and values: full, or int8, which takes half the memory (default: full)",
    )
    parser.add_argument("--prompt-cache-mb", type=int, help="memory for prompts read before, in MB; 0 for none")
    parser.add_argument("--keep-in", type=Path, default=KEPT, help="folder for quantised models (default: %(default)s)")


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Add the option that limits the length of an answer."""
    parser.add_argument(
        "--max-tokens",
        type=_positive,
        default=Sampling().max_tokens,
        help="longest answer, in tokens, where nobody says otherwise (default: %(default)s)",
    )


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def load_model(options: argparse.Namespace) -> GlmReader:
    """The model that a command line names; progress goes to standard error. Raises what `load_reader` raises."""
    from model.load import load_reader
    from model.load_settings import LoadSettings, Source

    settings = LoadSettings(
        precision=options.precision,
        device=options.device,
        context=options.context,
        kv=options.kv_precision,
        prompt_cache=None if options.prompt_cache_mb is None else options.prompt_cache_mb * MB,
        keep_in=options.keep_in,
        adapter=options.adapter,
    )
    source = Source(cache_dir=options.cache_dir, offline=options.offline, progress=Percents("downloaded"))
    return load_reader(options.name, settings, source, Percents("loaded"))


class Percents:
    """Progress callback that writes whole percentages to standard error, on one line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Write the percentage if it has changed."""
        percent = 100 * done // total if total else 0
        if percent != self._last:
            self._last = percent
            sys.stderr.write(f"\r{self._what} {percent}%" + ("\n" if percent == 100 else ""))
            sys.stderr.flush()
