"""What the page asks of whoever knows the models: which can be picked, and to load one.

`model.picking` is the one there is; it knows nothing of this module, and fits by its shape.
"""

from __future__ import annotations

from typing import Protocol


class ModelOffer(Protocol):
    """One model that can be picked. Plain data; None where something is not known."""

    @property
    def name(self) -> str:
        """What `Models.pick` takes."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def parameters(self) -> float | None:
        """In billions."""
        ...

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer."""
        ...

    @property
    def licence(self) -> str:
        """In one word: "custom" for the maker's own, "" where it is not known."""
        ...

    @property
    def int8_gb(self) -> float | None:
        """Gigabytes to load it in 8 bits and answer; None as well where it cannot be held so."""
        ...

    @property
    def int4_gb(self) -> float | None:
        """The same in 4 bits."""
        ...

    @property
    def fits(self) -> bool | None:
        """Whether this machine has room for it at any precision."""
        ...

    @property
    def here(self) -> bool:
        """Whether it is on this machine already."""
        ...


class Models(Protocol):
    """Models for everybody who sees the page: there is one reader at a time. May be called from any thread."""

    @property
    def downloads(self) -> bool:
        """Whether a model that is not on this machine can be fetched."""
        ...

    @property
    def folders(self) -> bool:
        """Whether a folder can be named."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """How weights can be held, the usual choice first."""
        ...

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models, those that can be had first. May take seconds the first time."""
        ...

    def pick(self, name: str, precision: str) -> None:
        """Begin to load a model, "" for none; returns at once. Raises AskError for what may not be had.

        How far it is, and why it failed, shows in the engine's choices.
        """
        ...
