"""GLM: which checkpoints exist, how their prompts are built, how they are loaded and generate.

Also `remote`, a reader that asks a server. Knows of `rag` only the Reader protocol and the errors.

`load_reader` is the one call most callers need. Importing this package loads neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.load import load_reader as load_reader

__all__ = ["load_reader"]


def __getattr__(name: str) -> Any:
    """`model.load_reader` on first use, so that a page without a GLM starts in no time."""
    if name == "load_reader":
        from model.load import load_reader

        return load_reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
