"""The models that can be picked on the page, as protocols: which there are, and how to load one.

`model.picking` implements them without importing this module.
"""

from __future__ import annotations

from typing import Protocol


class ModelOffer(Protocol):
    """One model that can be picked. Plain data; None for what is unknown."""

    @property
    def name(self) -> str:
        """What `Models.pick` takes."""
        ...

    @property
    def title(self) -> str:
        """The name shown to people."""
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
        """Its short name: "custom" for the maker's own licence, "" if unknown."""
        ...

    @property
    def int8_gb(self) -> float | None:
        """Gigabytes to load it in 8 bits and answer; None also if it cannot be loaded so."""
        ...

    @property
    def int4_gb(self) -> float | None:
        """The same in 4 bits."""
        ...

    @property
    def fits(self) -> bool | None:
        """Whether it fits this machine at any precision."""
        ...

    @property
    def here(self) -> bool:
        """Whether its files are on this machine."""
        ...


class Models(Protocol):
    """The models of the program, which has one reader for all pages. May be called from any thread."""

    @property
    def downloads(self) -> bool:
        """Whether models that are not on this machine may be downloaded."""
        ...

    @property
    def folders(self) -> bool:
        """Whether a model can be given as a folder."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """Names of the precisions, the default first."""
        ...

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models, those that can be used first. May take seconds the first time."""
        ...

    def pick(self, name: str, precision: str) -> None:
        """Start loading a model, or unload it for ""; returns at once. Raises AskError if it may not be used.

        Progress and failure are reported in the engine's choices.
        """
        ...
