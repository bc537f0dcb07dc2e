"""Readers with a model: a GLM on this machine (known checkpoints, prompts, loading, generation), or one on a server.

Of `rag`, it only imports `reader`, `errors`, `messages` and `language`. Most callers need only `load_reader` and
`model.load_settings`. Importing this package loads neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.load import load_reader as load_reader

__all__ = ["load_reader", "register"]


def register() -> None:
    """Make transformers' Auto classes know the model types `chatglm1`, `glm10b` and `glm130b`.

    Imports torch and transformers. Other converted GLMs need nothing from this project.
    """
    import model.blank.glm10b
    import model.blank.glm130b
    import model.chatglm1  # noqa: F401 - registers itself


def __getattr__(name: str) -> Any:
    """`model.load_reader`, imported on first use, because it imports torch."""
    if name == "load_reader":
        from model.load import load_reader

        return load_reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
