"""Files of JSON lines: one object per line, parsed by a function that knows its fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import SettingRefused

Line = TypeVar("Line")


def read_lines(file: Path, parse: Callable[[Mapping[str, Any]], Line]) -> list[Line]:
    """What `parse` makes of each line's object; empty lines are skipped.

    `parse` raises KeyError for a missing field, and TypeError or ValueError for one that it cannot use. Raises
    SettingRefused if the file cannot be read, and for the first line that is not an object or that `parse` refuses.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingRefused("{file} cannot be read: {reason}.", file=str(file), reason=str(exc)) from exc
    # JSON may contain U+2028 and the like, at which str.splitlines would split.
    return [_parsed(file, n, line, parse) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def _parsed(file: Path, number: int, line: str, parse: Callable[[Mapping[str, Any]], Line]) -> Line:
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError("it is not an object")
        return parse(row)
    except KeyError as exc:
        raise SettingRefused(
            "{file}, line {line}: the field {field} is missing.", file=str(file), line=number, field=str(exc)
        ) from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise SettingRefused(
            "{file}, line {line} cannot be read: {reason}.", file=str(file), line=number, reason=str(exc)
        ) from exc


def as_text(value: object) -> str:
    """The value of a text field. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
