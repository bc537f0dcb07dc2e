"""The models that can be chosen on the page, as protocols: list them, download, load, or connect to a server.

`model.picking` implements them without importing this module.
"""

from __future__ import annotations

from typing import Protocol

from rag.messages import Message


class ModelOffer(Protocol):
    """A model that can be chosen. Plain data; None for what is unknown."""

    @property
    def name(self) -> str:
        """The name that `Models.pick` takes."""
        ...

    @property
    def title(self) -> str:
        """The name that people see."""
        ...

    @property
    def parameters(self) -> float | None:
        """Number of parameters, in billions."""
        ...

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer together."""
        ...

    @property
    def licence(self) -> str:
        """Short name of its licence: "custom" for the maker's own, "" if unknown."""
        ...

    @property
    def int8_gb(self) -> float | None:
        """Gigabytes needed to load it in 8 bits and answer; None also if it cannot be loaded in 8 bits."""
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
        """The precision to pass to `Models.pick`."""
        ...

    @property
    def memory_gb(self) -> float:
        """Gigabytes needed to load it and answer."""
        ...

    @property
    def tokens_per_second(self) -> float:
        """Estimated speed of its answers."""
        ...


class Download(Protocol):
    """A download of a model: running, paused or failed."""

    @property
    def model(self) -> str:
        """Its name."""
        ...

    @property
    def done(self) -> int:
        """Bytes received."""
        ...

    @property
    def total(self) -> int:
        """Bytes in all; 0 until known."""
        ...

    @property
    def paused(self) -> bool:
        """Whether it was paused."""
        ...

    @property
    def failed(self) -> Message | None:
        """Why it stopped; it can be resumed. None if it did not."""
        ...


class ServedModel(Protocol):
    """A model offered by a server."""

    @property
    def name(self) -> str:
        """The name that `Models.connect` takes."""
        ...

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        ...


class Connection(Protocol):
    """The connected model on a server."""

    @property
    def server(self) -> str:
        """The server's address."""
        ...

    @property
    def model(self) -> str:
        """Its name there."""
        ...


class Models(Protocol):
    """The models of the program. There is one reader for all pages. Thread-safe."""

    @property
    def downloads(self) -> bool:
        """Whether models may be downloaded."""
        ...

    @property
    def folders(self) -> bool:
        """Whether a model can be given as a folder."""
        ...

    @property
    def servers(self) -> bool:
        """Whether it is allowed to connect to a server."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """Names of the precisions, the default first."""
        ...

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models; those that can be used come first. The first call may take seconds."""
        ...

    def recommended(self) -> Recommendation | None:
        """The model that suits this machine best; None if none fits. The first call may take seconds."""
        ...

    def pick(self, name: str, precision: str) -> None:
        """Start loading a model, or unload the current one for ""; returns at once.

        Raises AskError if it may not be used. Progress and failures are reported through the engine's choices.
        """
        ...

    @property
    def download(self) -> Download | None:
        """The download that is running, paused or failed; None if there is none."""
        ...

    def control_download(self, action: str) -> None:
        """Pause, resume or cancel the download. Raises AskError for another action."""
        ...

    @property
    def connection(self) -> Connection | None:
        """The connected model on a server; None if there is none."""
        ...

    def served(self, server: str, key: str) -> tuple[ServedModel, ...]:
        """The models of a server; `key` may be "". Raises AskError if it cannot or must not be asked."""
        ...

    def connect(self, server: str, key: str, model: str) -> None:
        """Answer with a model on a server from now on, including after a restart. Raises AskError."""
        ...

    def disconnect(self) -> None:
        """Forget the server and its key. Raises AskError."""
        ...
