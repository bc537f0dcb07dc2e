"""Models that can be picked, downloaded and connected to, without any: the page is tested on its own."""

from __future__ import annotations

from dataclasses import dataclass

from rag.messages import Message


@dataclass(frozen=True)
class FakeOffer:
    """A model that can be picked."""

    name: str
    title: str
    parameters: float | None = 9.4
    context: int | None = 32 * 1024
    licence: str = "MIT"
    int8_gb: float | None = 11.24
    int4_gb: float | None = 7.06
    fits: str | None = "int4"
    here: bool = True
    download_gb: float | None = 18.8


@dataclass(frozen=True)
class FakeRecommendation:
    """The model that suits the machine best."""

    offer: FakeOffer
    precision: str = "int4"
    memory_gb: float = 7.2
    tokens_per_second: float = 3.4


@dataclass(frozen=True)
class FakeDownload:
    """A download."""

    model: str
    done: int = 1_200_000_000
    total: int = 18_800_000_000
    paused: bool = False
    failed: Message | None = None


@dataclass(frozen=True)
class FakeServed:
    """A model of a server, and where it is."""

    name: str
    context: int = 32_768
    server: str = ""

    @property
    def model(self) -> str:
        """As a connection names it."""
        return self.name


class FakeModels:
    """Offers what it is told to, and keeps what was picked."""

    precisions = ("auto", "bf16", "int8", "int4")

    def __init__(self, *known: FakeOffer, downloads: bool = False, folders: bool = True) -> None:
        self.known = known
        self.downloads, self.folders = downloads, folders
        self.looked = 0
        self.picked: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.best: FakeRecommendation | None = None
        self.download: FakeDownload | None = None
        self.connection: FakeServed | None = None
        self.servers = True
        self.done: list[tuple[str, ...]] = []

    def offers(self) -> tuple[FakeOffer, ...]:
        self.looked += 1
        return self.known

    def pick(self, name: str, precision: str) -> None:
        if self.error is not None:
            raise self.error
        self.picked.append((name, precision))

    def recommended(self) -> FakeRecommendation | None:
        return self.best

    def control_download(self, action: str) -> None:
        self.done.append(("download", action))

    def served(self, server: str, key: str) -> tuple[FakeServed, ...]:
        if self.error is not None:
            raise self.error
        self.done.append(("served", server, key))
        return (FakeServed("glm-4-9b"), FakeServed("glm-4.5-air", 131_072))

    def connect(self, server: str, key: str, model: str) -> None:
        self.done.append(("connect", server, key, model))
        self.connection = FakeServed(model, server=server)

    def disconnect(self) -> None:
        self.connection = None
