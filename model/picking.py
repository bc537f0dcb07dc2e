"""The GLMs that people can choose on the page: lists them, checks what was chosen, and starts loading it.

A name typed on a page is trusted less than one on the command line: it is a hub id, and may be a folder only if nobody
but this machine can reach the page. Does not know the page.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model.background import BackgroundLoader
from model.families import FAMILIES, GB, Family, KvPrecision, Precision, find_family
from rag.errors import ModelMissing, SettingRefused
from rag.messages import Message

if TYPE_CHECKING:
    import torch

    from model.adapters import Adapter
    from model.download import Download, Downloader
    from model.servers import Connection, ConnectionFile, ServedModel

log = logging.getLogger(__name__)

EXAMPLE: Final = "zai-org/GLM-4-9B-0414"
MAX_NAME: Final = 200  # characters; the hub allows 96 after the owner
MAX_SHOWN_PRECISION: Final = 20  # characters of an unknown precision that an error repeats
# Chat models that transformers loads without conversion, strongest first. Models that reason before answering are left
# out: on a small machine, people would wait for minutes.
RECOMMENDABLE: Final = ("GLM-4-32B-0414", "GLM-4-9B-0414", "glm-edge-4b-chat", "glm-edge-1.5b-chat")
READING_SPEED: Final = 3.0  # tokens a second
_ADAPTER: Final = "adapter:"  # starts the name of an adapter; no hub id has a colon
CONNECTED: Final = Message("connected on this page; your questions and their sources are sent to it")
# Owner and name as `validate_repo_id` of huggingface_hub allows them.
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model that can be chosen. Memory is computed from the published dimensions, not measured."""

    name: str  # argument of `ModelPicker.pick`
    title: str  # as people see it
    parameters: float | None  # billions; None: unknown, here and below
    context: int | None  # tokens of prompt and answer
    licence: str  # one word; "" if unknown
    int8_gb: float | None  # gigabytes to load and answer; None also if it cannot be loaded in this precision
    int4_gb: float | None
    fits: str | None  # precision in which it fits in memory, counting that of the model in use as free; "" for none
    here: bool  # on this machine
    download_gb: float | None = None  # gigabytes of its published weights


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The model that suits this machine best."""

    offer: ModelOffer
    precision: str  # to load it in
    memory_gb: float  # gigabytes to load it so and answer
    tokens_per_second: float  # estimated speed of its answers


class ModelPicker:
    """The models that the page offers, and what they are passed to; one for all pages."""

    precisions: Final = ("auto", "bf16", "int8", "int4")

    def __init__(
        self,
        loader: BackgroundLoader,
        downloader: Downloader,
        connections: ConnectionFile,
        *,
        download: bool,
        alone: bool,
        started_with: str = "",
        started_adapter: Path | None = None,
        adapters: Path | None = None,
    ) -> None:
        """`download`: whether models may be downloaded; `alone`: whether only this machine can reach the page.

        Folders and servers may only be named if `alone`. `started_with`, `started_adapter`: values of --model and
        --adapter; `adapters`: folder whose subfolders are offered as adapters.
        """
        self.downloads, self.folders, self.servers = download, alone, alone
        self._loader, self._downloader, self._connections = loader, downloader, connections
        self._started_with, self._started_adapter, self._adapters = started_with, started_adapter, adapters

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models, newest first, sorted so that those on this machine come first, then those that fit.

        Imports torch; opens no socket.
        """
        from model.device import pick_device

        device, available = pick_device(self._loader.settings.device), self._available()
        offers = [
            _offer(family, device, available, self._loader.settings.kv)
            for family in reversed(FAMILIES)
            if family.on_hub
        ]
        if self._started_with and (_is_folder(self._started_with) or find_family(self._started_with) is None):
            title = self._started_title()
            offers.append(_unknown_offer(title, title, here=self._started_is_here()))
        offers += [
            _unknown_offer(_ADAPTER + adapter.name, f"{adapter.base} · {adapter.name}", here=_is_here(adapter.model))
            for adapter in self._offered_adapters()
        ]
        return tuple(sorted(offers, key=lambda offer: (not offer.here, offer.fits == "")))

    def _available(self) -> int | None:
        """Bytes of memory for a model that replaces the one in use; None if unknown."""
        from model.device import free_bytes, pick_device

        free = free_bytes(pick_device(self._loader.settings.device))
        return None if free is None else free + self._loader.held_bytes()

    def recommended(self) -> Recommendation | None:
        """The strongest model that fits this machine and writes at reading speed, else the fastest that fits.

        Imports torch. The first call measures the memory's speed.
        """
        from model.device import pick_device
        from model.speed import tokens_per_second

        device, available, best = pick_device(self._loader.settings.device), self._available(), None
        for family in filter(None, map(find_family, RECOMMENDABLE)):
            offer = _offer(family, device, available, self._loader.settings.kv)
            for precision, needed in _fitting(family, device, available, self._loader.settings.kv):
                speed = tokens_per_second(family, precision, device)
                best = Recommendation(offer, precision.value, needed / GB, speed)
                if speed >= READING_SPEED:
                    return best
        return best

    def pick(self, name: str, precision: str) -> None:
        """Start loading a model; "" returns to the reader that needs none.

        Raises SettingRefused for a name or precision that is not allowed, ModelMissing for a model that is not on this
        machine and cannot be downloaded.
        """
        if precision not in self.precisions:
            raise SettingRefused(
                "Unknown precision '{precision}'; choose {known}.",
                precision=precision[:MAX_SHOWN_PRECISION],
                known=", ".join(self.precisions),
            )
        name = name.strip()
        if not name:
            self._loader.unload()
        elif self._started_with and name == self._started_title():
            self._loader.start(self._started_with, precision, adapter=self._started_adapter)
        elif name.startswith(_ADAPTER):
            self._start_adapter(name.removeprefix(_ADAPTER), precision)
        elif self.folders and _is_folder(name):
            self._loader.start(name, precision)
        else:
            self._start(self._hub_id(name), precision)

    def _offered_adapters(self) -> tuple[Adapter, ...]:
        from model.adapters import list_adapters

        return tuple(one for one in list_adapters(self._adapters) if one.model) if self._adapters else ()

    def _start_adapter(self, name: str, precision: str) -> None:
        """Load a model together with one of its adapters. Raises ModelMissing if either is not on this machine."""
        adapter = next((one for one in self._offered_adapters() if one.name == name), None)
        if adapter is None:
            raise ModelMissing("The adapter {name} no longer exists.", name=repr(name[:MAX_NAME]))
        if not _is_here(adapter.model):
            raise ModelMissing(
                "{adapter} was trained for {model}, which is not on this machine: choose that model first.",
                adapter=adapter.name,
                model=adapter.base,
            )
        self._loader.start(adapter.model, precision, hub_only=not _is_folder(adapter.model), adapter=adapter.folder)

    def _start(self, hub_id: str, precision: str) -> None:
        """Load a model, after downloading it if it is not here."""
        from model.hub import cached_hub_id

        def load() -> None:
            try:
                self._loader.start(hub_id, precision, hub_only=True)
            except SettingRefused as error:  # another is already being loaded
                log.warning("%s", error)

        if cached_hub_id(hub_id) is None:
            self._downloader.start(hub_id, load)
        else:
            self._loader.start(hub_id, precision, hub_only=True)

    # ---- a download

    @property
    def download(self) -> Download | None:
        """The download that is running, paused or failed; None if there is none."""
        return self._downloader.state

    def control_download(self, action: str) -> None:
        """Pause, resume or cancel the download. Raises SettingRefused for anything else."""
        actions = {
            "pause": self._downloader.pause,
            "resume": self._downloader.resume,
            "cancel": self._downloader.cancel,
        }
        if action not in actions:
            raise SettingRefused("A download can be paused, resumed or cancelled.")
        actions[action]()

    # ---- a server

    @property
    def connection(self) -> Connection | None:
        """The connected model on a server, also used at the next start; None without one."""
        return self._connections.load() if self.servers else None

    def served(self, server: str, key: str) -> tuple[ServedModel, ...]:
        """The models of a server. Raises SettingRefused and ServerUnreachable."""
        from model.servers import served_models

        self._refuse_servers()
        return served_models(server, key)

    def connect(self, server: str, key: str, model: str) -> None:
        """Answer with a model on a server from now on. Raises SettingRefused and ServerUnreachable."""
        from model.servers import Connection

        found = next((one for one in self.served(server, key) if one.name == model), None)
        if found is None:
            raise SettingRefused(
                "The server does not offer {model}: test the connection again.", model=repr(model[:MAX_NAME])
            )
        connection = Connection(server.strip(), model, found.context, key)
        self._loader.use(connection.reader(), CONNECTED)
        self._connections.save(connection)

    def disconnect(self) -> None:
        """Forget the server and its key, and return to the reader that needs no model."""
        self._refuse_servers()
        self._loader.unload()
        self._connections.remove()

    def _refuse_servers(self) -> None:
        if not self.servers:
            raise SettingRefused(
                "A server can be entered here only if no other machine can reach the page: set it with --server."
            )

    def _hub_id(self, name: str) -> str:
        from model.hub import cached_hub_id

        family = find_family(name) if "/" not in name else None
        hub_id = family.hub_id if family else name
        if not is_hub_id(hub_id):
            raise self._not_a_model(name)
        found = cached_hub_id(hub_id)
        if found is None and not self.downloads:
            raise ModelMissing(
                "{model} is not on this machine: start with --allow-download, and without HF_HUB_OFFLINE, to download"
                " it.",
                model=hub_id,
            )
        if found is None and not self.folders and not _is_listed(hub_id):
            raise SettingRefused(
                "{model} is not on the list: when others can reach the page, only listed models are downloaded.",
                model=hub_id,
            )
        return found or hub_id

    def _not_a_model(self, name: str) -> SettingRefused:
        shown = repr(name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…")
        if self.folders:
            return SettingRefused(
                "{name} is neither a folder nor a hub id such as {example}.", name=shown, example=EXAMPLE
            )
        return SettingRefused(
            "{name} is not a hub id such as {example}; a folder can be named here only if no other machine can reach"
            " the page, otherwise with --model on the command line.",
            name=shown,
            example=EXAMPLE,
        )

    def _started_title(self) -> str:
        """The name of --model as the page shows it; it must not reveal where a folder is."""
        return Path(self._started_with).resolve().name if _is_folder(self._started_with) else self._started_with

    def _started_is_here(self) -> bool:
        return _is_here(self._started_with)


def _is_listed(hub_id: str) -> bool:
    """Whether it is a known model, published by its makers' organisation."""
    from model.hub import OWNERS

    return find_family(hub_id) is not None and hub_id.split("/")[0] in OWNERS


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form owner/name that the hub allows; no path that leads elsewhere has that form."""
    return len(name) <= MAX_NAME and bool(_HUB_ID.fullmatch(name)) and not re.search(r"\.\.|--", name)


def _is_here(model: str) -> bool:
    """Whether a folder, or the cached files of a hub id, are on this machine."""
    from model.hub import cached_hub_id

    return _is_folder(model) or cached_hub_id(model) is not None


def _unknown_offer(name: str, title: str, *, here: bool) -> ModelOffer:
    """An offer of a model whose size is not known before it is read."""
    return ModelOffer(name, title, None, None, "", None, None, None, here)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # not accessible, or too long for a path
        return False


def _offer(family: Family, device: torch.device, available: int | None, kv: KvPrecision) -> ModelOffer:
    from model.hub import cached_hub_id
    from model.listing import memory_by_precision

    memory = memory_by_precision(family, device, kv=kv)
    found = cached_hub_id(family.hub_id)
    return ModelOffer(
        name=found or family.hub_id,
        title=family.name,
        parameters=family.parameters,
        context=family.context,
        licence=family.licence,
        int8_gb=_gigabytes(memory[Precision.INT8]),
        int4_gb=_gigabytes(memory[Precision.INT4]),
        fits=None if available is None else _best_precision(family, device, available, kv),
        here=found is not None,
        download_gb=family.published_bytes / GB,
    )


def _best_precision(family: Family, device: torch.device, available: int, kv: KvPrecision) -> str:
    """The most exact precision in which a model fits, with a shorter context if necessary; "" if it fits in none."""
    from model.memory import MIN_CONTEXT

    whole, short = _fitting(family, device, available, kv), _fitting(family, device, available, kv, MIN_CONTEXT)
    return next((precision.value for precision, _ in (*whole, *short)), "")


def _fitting(
    family: Family, device: torch.device, available: int | None, kv: KvPrecision, context: int | None = None
) -> Iterator[tuple[Precision, int]]:
    """The precisions in which a model fits, most exact first, and the bytes needed for each."""
    from model.listing import memory_by_precision

    memory = memory_by_precision(family, device, context, kv)
    for precision in (Precision.BF16, Precision.INT8, Precision.INT4):
        needed = memory[precision]
        if needed is not None and (available is None or needed <= available):
            yield precision, needed


def _gigabytes(value: int | None) -> float | None:
    return None if value is None else value / GB
