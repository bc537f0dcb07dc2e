"""`python -m model.evaluate NAME --tasks mmlu,ceval-valid,gsm8k,bbh --out FILE`: published benchmarks on a loaded GLM.

The tasks, their prompts and their scores are those of lm_eval (EleutherAI's Language Model Evaluation Harness; `pip
install -r model/requirements-evaluate.txt`); the model is loaded as for the page, quantised or not, without conversion.
Tasks are downloaded from the hub unless --tasks-from names a folder with tasks of one's own.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from tqdm.auto import tqdm  # type: ignore[import-untyped]

from model.batch import MAX_SEQUENCES
from model.command_line import add_model_options, load_model
from model.families import BIDIRECTIONAL_TYPES
from model.learned_prefix import inputs_behind
from model.stream import StopText, TokenText
from rag.errors import AskError, ReaderError, SettingRefused
from rag.reader import Sampling

if TYPE_CHECKING:
    from model.reader import GlmReader

ANSWER_TOKENS: Final = 256  # of a generated answer, unless a task says otherwise
# Per cent, as the makers published them: the README files of THUDM/ChatGLM2-6B, ChatGLM3 and GLM-4. Prompts and the
# number of examples differ from lm_eval's, so a few points between the two mean nothing.
PUBLISHED: Final[Mapping[str, Mapping[str, float]]] = {
    "chatglm-6b": {"mmlu": 40.63, "ceval-valid": 38.9, "gsm8k": 4.82, "bbh": 18.73},
    "chatglm2-6b": {"mmlu": 45.46, "ceval-valid": 50.1, "gsm8k": 28.05, "bbh": 30.0},
    "chatglm3-6b-base": {"mmlu": 61.4, "ceval-valid": 69.0, "gsm8k": 72.3, "bbh": 66.1},
    "glm-4-9b": {"mmlu": 74.7, "ceval-valid": 77.1, "gsm8k": 84.0, "bbh": 76.3},
    "glm-4-9b-chat": {"mmlu": 72.4, "ceval-valid": 75.6, "gsm8k": 79.6},
}
_SCORES: Final = ("acc,none", "exact_match,flexible-extract", "exact_match,get-answer", "exact_match,none")


def harness() -> Any:
    """The lm_eval module. Raises ReaderError, with the command to install it, if it is missing."""
    try:
        import lm_eval
        import lm_eval.tasks
    except ImportError as error:
        raise ReaderError("Benchmarks need lm_eval: pip install -r model/requirements-evaluate.txt.") from error
    return lm_eval


class Scorer:
    """Log-likelihoods and raw continuations of a loaded GLM."""

    def __init__(self, reader: GlmReader) -> None:
        self._reader, self._model = reader, reader.model
        tokens = reader.tokenizer.special_tokens
        self._mask, start = tokens.get("[gMASK]", tokens.get("[MASK]")), tokens.get("<sop>", tokens.get("sop"))
        self._begin = [one for one in (self._mask, start) if one is not None]
        self._reads_both_ways = self._model.config.model_type in BIDIRECTIONAL_TYPES

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return list(self._reader.tokenizer.encode(text))

    def prompt(self, context: Sequence[int], room: int) -> list[int]:
        """The ids that a continuation follows: the end of `context` that leaves `room` tokens, with the family's marks.

        The first generations read their prompt both ways and begin to write after `[gMASK] <sop>` or what they have in
        its place; for later ones these come first.
        """
        room += len(self._marked([]))
        return self._marked(list(context)[-max(self._reader.context_tokens - room, 1) :])

    def _marked(self, ids: list[int]) -> list[int]:
        if self._reader.family.fills_blanks and self._mask is not None:
            framed = self._reader.prompter.framed([*ids, self._mask])
            return [part for part in framed if isinstance(part, int)]
        return [*ids, *self._begin] if self._reads_both_ways else [*self._begin, *ids]

    @torch.inference_mode()
    def log_likelihood(self, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
        """Natural logarithm of the probability of a continuation, and whether it is the most probable one."""
        wanted = list(continuation)
        ids = [*self.prompt(context, len(wanted)), *wanted]
        device = self._model.device
        inputs = inputs_behind(self._model, torch.tensor([ids], device=device), self._reader.prefix)
        output = self._model(**inputs, logits_to_keep=len(wanted) + 1)
        scores = output.logits[0, :-1].float().log_softmax(-1).cpu()
        chosen = scores.gather(1, torch.tensor(wanted)[:, None])
        return float(chosen.sum()), scores.argmax(-1).tolist() == wanted

    def write(self, context: str, until: Sequence[str], tokens: int, temperature: float) -> str:
        """The continuation of a text, up to and without the first of `until`."""
        reader = self._reader
        text, stops, stop = TokenText(reader.tokenizer), StopText(until), threading.Event()
        written, sampling = "", Sampling(tokens, temperature)
        ids = self.prompt(self.encode(context), tokens)
        for token in reader.batch.generate(ids, sampling, reader.stop_ids, stop):
            written += stops.feed(text.feed(token))
            if stops.found:
                stop.set()
                break
        return written + stops.end()


def language_model(reader: GlmReader) -> Any:
    """The reader as a model for lm_eval. Raises ReaderError without lm_eval."""
    harness()
    from lm_eval.api.model import TemplateLM

    scorer = Scorer(reader)

    class Glm(TemplateLM):  # type: ignore[misc] # lm_eval has no types
        """Answers lm_eval's requests with a loaded GLM."""

        @property
        def eot_token_id(self) -> int:
            return min(reader.stop_ids)

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            return scorer.encode(string)

        def _loglikelihood_tokens(self, requests: Iterable[Any], **_: Any) -> list[tuple[float, bool]]:
            shown = tqdm(list(requests), desc="scoring")
            return [scorer.log_likelihood(context, continuation) for _, context, continuation in shown]

        def loglikelihood_rolling(self, requests: Iterable[Any], disable_tqdm: bool = False) -> list[float]:
            return [scorer.log_likelihood((), scorer.encode(one.args[0]))[0] for one in requests]

        def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
            with ThreadPoolExecutor(MAX_SEQUENCES) as threads:  # generated together
                return list(tqdm(threads.map(_write, requests), desc="writing", total=len(requests)))

    def _write(request: Any) -> str:
        context, options = request.args
        until = options.get("until") or []
        return scorer.write(
            context,
            [until] if isinstance(until, str) else until,
            int(options.get("max_gen_toks", ANSWER_TOKENS)),
            float(options.get("temperature", 0)) if options.get("do_sample") else 0.0,
        )

    return Glm()


def run(reader: GlmReader, tasks: Sequence[str], *, folder: Path | None = None, limit: int | None = None) -> Any:
    """What lm_eval measures. `folder`: with your own tasks; `limit`: questions per task.

    Raises SettingRefused for a task that does not exist or whose data cannot be read, ReaderError without lm_eval.
    """
    lm_eval = harness()
    if folder is not None and not folder.is_dir():
        raise SettingRefused("{folder} of --tasks-from is not a folder.", folder=str(folder))
    manager = lm_eval.tasks.TaskManager(include_path=None if folder is None else str(folder), include_defaults=False)
    if any(task not in manager.all_tasks for task in tasks):  # reading the thousands of its own tasks takes a while
        manager = lm_eval.tasks.TaskManager(include_path=None if folder is None else str(folder))
    unknown = [task for task in tasks if task not in manager.all_tasks]
    if unknown:
        raise SettingRefused("lm_eval has no task {task}; `lm_eval ls tasks` lists them.", task=repr(unknown[0]))
    model = language_model(reader)
    try:
        return lm_eval.simple_evaluate(
            model=model, tasks=list(tasks), task_manager=manager, limit=limit, bootstrap_iters=0
        )
    except OSError as error:  # a hub that cannot be reached, a file that does not exist
        raise SettingRefused("The data of a task cannot be read: {reason}", reason=str(error)) from error


def report(name: str, family: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    """The score of each task in per cent, what it measures, and what was published for the family."""
    published = PUBLISHED.get(family.lower(), {})
    scores = {}
    for task, values in measured["results"].items():
        metric = next(filter(values.__contains__, (*_SCORES, *_shares(values))), None)
        if metric is not None:
            score = round(100 * float(values[metric]), 2)
            scores[task] = {"score": score, "metric": metric, "published": published.get(task)}
    return {"model": name, "tasks": scores, "questions": measured.get("n-samples", {})}


def _shares(values: Mapping[str, Any]) -> list[str]:
    """The metrics that may be a share of something, unlike a perplexity."""
    return [
        name for name, value in values.items()
        if "_stderr" not in name and isinstance(value, float) and 0 <= value <= 1
    ]  # fmt: skip


def table(found: Mapping[str, Any]) -> str:
    """The report, for people."""
    lines = [f"{found['model']}\n", f"{'task':32} {'questions':>10} {'here, %':>8} {'published, %':>13}  metric\n"]
    for task, values in found["tasks"].items():
        published = "" if values["published"] is None else f"{values['published']:.2f}"
        asked = found["questions"].get(task, {}).get("effective", "")  # of its own, none for a group of tasks
        lines.append(f"{task:32} {asked:>10} {values['score']:8.2f} {published:>13}  {values['metric']}\n")
    return "".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m model.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_options(made)
    made.add_argument("--tasks", required=True, help="names of lm_eval's tasks, separated by commas")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file for the result")
    made.add_argument("--tasks-from", type=Path, metavar="FOLDER", help="folder with tasks of one's own, in YAML")
    made.add_argument("--limit", type=int, help="questions of each task; default: all")
    return made


def _check(out: Path, tasks: Sequence[str]) -> None:
    """Raise SettingRefused for what would fail only after hours of measuring."""
    if not tasks:
        raise SettingRefused("--tasks names no task.")
    is_new = not out.exists()
    try:
        with out.open("a", encoding="utf-8"):
            pass
        if is_new:
            out.unlink()
    except OSError as error:
        raise SettingRefused(
            "{file} of --out cannot be written: {reason}", file=str(out), reason=error.strerror or str(error)
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    options = parser().parse_args(arguments)
    try:
        harness()
        tasks = [task.strip() for task in options.tasks.split(",") if task.strip()]
        _check(options.out, tasks)
        reader = load_model(options)
        measured = run(reader, tasks, folder=options.tasks_from, limit=options.limit)
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = report(reader.name, reader.family.name, measured)
    options.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(table(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
