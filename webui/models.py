"""The models that can be picked on the page, as protocols: which there are, how to download, load or connect to one.

`model.picking` implements them without importing this module.
"""

from __future__ import annotations

from typing import Protocol

from rag.messages import Message


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
    def fits(self) -> str | None:
        """The precision in which it fits this machine, as `Models.pick` takes it; "" if it fits in none."""
        ...

    @property
    def here(self) -> bool:
        """Whether its files are on this machine."""
        ...

    @property
    def download_gb(self) -> float | None:
        """Gigabytes to download."""
        ...


class Recommendation(Protocol):
    """The model that suits this machine best."""

    @property
    def offer(self) -> ModelOffer:
        """The model."""
        ...

    @property
    def precision(self) -> str:
        """What `Models.pick` takes with it."""
        ...

    @property
    def memory_gb(self) -> float:
        """Gigabytes to load it and answer."""
        ...

    @property
    def tokens_per_second(self) -> float:
        """Estimated speed at which it writes."""
        ...


class Download(Protocol):
    """A download of a model that runs, is paused or failed."""

    @property
    def model(self) -> str:
        """Its name."""
        ...

    @property
    def done(self) -> int:
        """Bytes that have arrived."""
        ...

    @property
    def total(self) -> int:
        """Bytes in all; 0 until it is known."""
        ...

    @property
    def paused(self) -> bool:
        """Whether it was paused."""
        ...

    @property
    def failed(self) -> Message | None:
        """Why it stopped; it can be resumed."""
        ...


class ServedModel(Protocol):
    """A model that a server offers."""

    @property
    def name(self) -> str:
        """What `Models.connect` takes."""
        ...

    @property
    def context(self) -> int:
        """Tokens of prompt and answer."""
        ...


class Connection(Protocol):
    """The model on a server that answers."""

    @property
    def server(self) -> str:
        """Its address."""
        ...

    @property
    def model(self) -> str:
        """Its name there."""
        ...


class Models(Protocol):
    """The models of the program, which has one reader for all pages. Thread-safe."""

    @property
    def downloads(self) -> bool:
        """Whether models that are not on this machine may be downloaded."""
        ...

    @property
    def folders(self) -> bool:
        """Whether a model can be given as a folder."""
        ...

    @property
    def servers(self) -> bool:
        """Whether a server can be connected to."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """Names of the precisions, the default first."""
        ...

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models, those that can be used first. May take seconds the first time."""
        ...

    def recommended(self) -> Recommendation | None:
        """The model that suits this machine best; None if none fits. May take seconds the first time."""
        ...

    def pick(self, name: str, precision: str) -> None:
        """Start loading a model, or unload it for ""; returns at once. Raises AskError if it may not be used.

        Progress and failure are reported in the engine's choices.
        """
        ...

    @property
    def download(self) -> Download | None:
        """The download that runs, is paused or failed; None when there is none."""
        ...

    def control_download(self, action: str) -> None:
        """Pause, resume or cancel the download. Raises AskError for another action."""
        ...

    @property
    def connection(self) -> Connection | None:
        """The model on a server that answers; None if there is none."""
        ...

    def served(self, server: str, key: str) -> tuple[ServedModel, ...]:
        """The models of a server; `key` may be "". Raises AskError if it does not answer or may not be asked."""
        ...

    def connect(self, server: str, key: str, model: str) -> None:
        """Answer with a model on a server from now on, also after a restart. Raises AskError."""
        ...

    def disconnect(self) -> None:
        """Forget the server and its key. Raises AskError."""
        ...
