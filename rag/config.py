"""A TOML file that sets any field of `Settings` by section and name; errors name the setting and what to do.

[limits]
pages = 2_000

[retrieval.routing]
routed_documents = 5
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from rag.errors import SettingRefused
from rag.messages import Message
from rag.settings import DoubtWeights, FigureConfidence, Settings, flatten

S = TypeVar("S")

MAX_WHOLE: Final = 1_000_000_000_000  # largest whole number, unless RANGES says otherwise
SHOWN_CHARACTERS: Final = 80  # characters of a wrong value or name that an error quotes

# Ranges, where they are not 1 to MAX_WHOLE for whole numbers and 0 to 1 for fractions.
RANGES: Final[dict[str, tuple[float, float]]] = {
    "parallel_reads": (1, 64),
    "limits.pages": (1, 1_000_000),
    "limits.read_memory_bytes": (64 * 2**20, MAX_WHOLE),
    "limits.render_memory_bytes": (64 * 2**20, MAX_WHOLE),
    "limits.ocr_pages": (0, 1_000_000),
    "limits.ocr_page_pixels": (100_000, 100_000_000),
    "limits.ocr_memory_bytes": (1_024 * 2**20, MAX_WHOLE),
    "limits.fallback_reader_pages": (0, 1_000_000),
    "limits.question_characters": (10, 1_000_000),
    "limits.answers_at_once": (0, 256),
    "limits.owner_bytes": (0, MAX_WHOLE),
    "chunking.max_passage_tokens": (16, 100_000),
    "chunking.min_passage_tokens": (0, 100_000),
    "retrieval.sources": (1, 1_000),
    "retrieval.candidates": (1, 100_000),
    "retrieval.overlap_candidates": (0, 100_000),
    "retrieval.rerank_candidates": (0, 100_000),
    "retrieval.full_page_sources": (0, 1_000),
    "retrieval.exact_index_size": (0, MAX_WHOLE),
    "retrieval.term_overlap_weight": (0, 10),
    "retrieval.bigram_overlap_weight": (0, 10),
    "retrieval.query.max_parts": (1, 20),
    "retrieval.query.min_part_terms": (0, 100),
    "retrieval.query.max_dependent_han_terms": (0, 100),
    "retrieval.routing.routed_documents": (0, 1_000),
    "retrieval.routing.routing_weight": (0, 10),
    "retrieval.routing.min_term_weight": (0, 20),
    "retrieval.routing.coverage_weight": (0, 10),
    "retrieval.routing.coverage_saturation": (0, 1_000),
    "retrieval.routing.max_compared_documents": (1, 100),
    "retrieval.routing.name_rarity_ratio": (0, 100),
    "retrieval.routing.min_name_ratio": (0, 1_000),
    "retrieval.pages.pages": (0, 1_000),
    "retrieval.pages.statement_weight": (0, 10),
    "retrieval.pages.item_weight": (0, 10),
    "retrieval.pages.row_weight": (0, 10),
    "retrieval.pages.heading_weight": (0, 10),
    "retrieval.pages.boilerplate_penalty": (0, 10),
    "retrieval.pages.reason_penalty": (0, 10),
    "retrieval.bm25.k1": (0, 100),
    "answering.summary.cue_weight": (0, 100),
    "answering.gate_alphabetic": (0, 10),
    "answering.gate_han": (0, 10),
    "answering.gate_alphabetic_to_han": (0, 10),
    "answering.gate_han_to_alphabetic": (0, 10),
    **{f"answering.figures.confidence.{field.name}": (-20, 20) for field in dataclasses.fields(FigureConfidence)},
    "answering.phrases.sure_span": (-20, 0),
    "answering.phrases.confidence_bias": (-20, 20),
    "answering.phrases.confidence_span": (-20, 20),
    "answering.phrases.confidence_none": (-20, 20),
    "answering.phrases.confidence_answerability": (-20, 20),
    "answering.figures.right_period": (-10, 10),
    "answering.figures.no_period": (-10, 10),
    "answering.figures.wrong_period": (-10, 10),
    "answering.figures.part_penalty": (0, 10),
    "answering.figures.unasked_penalty": (0, 10),
    **{f"answering.doubt.same_script.{one.name}": (-1_000, 1_000) for one in dataclasses.fields(DoubtWeights)},
    **{f"answering.doubt.across_scripts.{one.name}": (-1_000, 1_000) for one in dataclasses.fields(DoubtWeights)},
    "answering.context.source_tokens": (0, 1_000_000),
    "answering.context.max_sources": (1, 1_000),
    "ocr.dots_per_inch": (72, 600),
    "ocr.batch_pages": (1, 1_000),
    "ocr.threads": (0, 64),
    "rendering.max_pixels_wide": (100, 8_000),
    "rendering.cache_bytes": (0, MAX_WHOLE),
}


def read_config(file: Path) -> Settings:
    """The settings of a TOML file; defaults for what it does not mention.

    Raises SettingRefused, naming the file, the setting and what to do, if the file cannot be read or has an unknown
    setting, a value of the wrong type, or one out of range.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise SettingRefused(
            "{file} cannot be read ({reason}): check --config.", file=str(file), reason=reason
        ) from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise SettingRefused(
            "{file} is not valid TOML ({reason}): correct it, or start without --config.",
            file=str(file),
            reason=str(exc)[:200],
        ) from exc
    defaults = flatten(Settings())
    values = {name: _checked(file, name, value, defaults) for name, value in _flat(content, defaults).items()}
    return override(Settings(), values)


def override(settings: S, values: Mapping[str, Any]) -> S:
    """Settings with some fields replaced, given by dotted name: {"retrieval.bm25.k1": 1.2}."""
    own = {name: value for name, value in values.items() if "." not in name}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, dot, rest = name.partition(".")
        if dot:
            nested.setdefault(section, {})[rest] = value
    own |= {section: override(getattr(settings, section), inner) for section, inner in nested.items()}
    return dataclasses.replace(settings, **own)  # type: ignore[type-var]


def _flat(content: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted name. A table that is a section is flattened; any other table is kept as a value."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = prefix + key
        if isinstance(value, dict) and name not in defaults:
            found |= _flat(value, defaults, f"{name}.") if value else {}
        else:
            found[name] = value
    return found


def _checked(file: Path, name: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    """The value in the type of its setting. Raises SettingRefused."""
    if name not in defaults:
        raise _unknown(file, name, defaults)
    kind = type(defaults[name])
    low, high = RANGES.get(name, (0, 1) if kind is float else (1, MAX_WHOLE))
    if isinstance(defaults[name], Path):
        if isinstance(value, str) and value and "\0" not in value:
            return Path(value)
        takes = Message("the path of a folder in quotes")
    elif kind is bool:
        if isinstance(value, bool):
            return value
        takes = Message("true or false")
    else:
        number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if number and low <= value <= high:
            return kind(value)
        template = "a whole number from {low:,} to {high:,}" if kind is int else "a number from {low:,} to {high:,}"
        takes = Message(template, {"low": low, "high": high})
    raise SettingRefused(
        "{file}: {name} takes {takes}, not {value}: correct it, or remove the line.",
        file=str(file),
        name=name,
        takes=takes,
        value=repr(value)[:SHOWN_CHARACTERS],
    )


def _unknown(file: Path, name: str, defaults: Mapping[str, Any]) -> SettingRefused:
    """The error for an unknown setting, which suggests the most similar one."""
    shown = name[:SHOWN_CHARACTERS]
    if inner := [known for known in defaults if known.startswith(f"{name}.")]:
        return SettingRefused(
            "{file}: {name} is a section: write [{name}], and below it lines such as {example} = ….",
            file=str(file),
            name=name,
            example=inner[0].removeprefix(f"{name}."),
        )
    tail, tails = shown.rpartition(".")[2], {known.rpartition(".")[2]: known for known in defaults}
    near = [tail] if tail in tails else difflib.get_close_matches(shown, defaults, 1)
    if near := near or difflib.get_close_matches(tail, tails, 1):
        return SettingRefused(
            "{file}: there is no setting {name}: write {near}, or remove the line.",
            file=str(file),
            name=shown,
            near=tails.get(near[0], near[0]),
        )
    return SettingRefused(
        "{file}: there is no setting {name}: remove the line. rag/settings.py lists all settings.",
        file=str(file),
        name=shown,
    )
