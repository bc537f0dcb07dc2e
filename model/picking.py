"""Which GLMs people can pick on the page: offers them, checks what is picked, and starts loading it.

A name typed on a page is trusted less than one on the command line: it is a hub id, and may be a folder only if the
page is served to this machine alone. Does not know the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.background import BackgroundLoader
from model.families import FAMILIES, GB, Family, Precision, find_family
from rag.errors import ModelMissing, SettingRefused

EXAMPLE: Final = "zai-org/GLM-4-9B-0414"
MAX_NAME: Final = 200  # characters; the hub allows 96 after the owner
MAX_SHOWN_PRECISION: Final = 20  # characters of an unknown precision that an error repeats
# Owner and name as `validate_repo_id` of huggingface_hub allows them.
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """One model that can be picked. Memory is computed from the published dimensions, not measured."""

    name: str  # argument of `ModelPicker.pick`
    title: str  # shown to people
    parameters: float | None  # billions; None: unknown, here and below
    context: int | None  # tokens of prompt and answer
    licence: str  # one word; "" if unknown
    int8_gb: float | None  # gigabytes to load and answer; None also where it cannot be loaded in this precision
    int4_gb: float | None
    fits: bool | None  # in memory at some precision, counting memory of the model in use as free
    here: bool  # on this machine


class ModelPicker:
    """The models the page offers, and the loader they are passed to; one for all pages."""

    precisions: Final = ("auto", "bf16", "int8", "int4")

    def __init__(self, loader: BackgroundLoader, *, download: bool, folders: bool, started_with: str = "") -> None:
        """`download`: models may be downloaded; `folders`: folders may be named; `started_with`: value of --model."""
        self.downloads, self.folders = download, folders
        self._loader = loader
        self._started_with = started_with

    def offers(self) -> tuple[ModelOffer, ...]:
        """The known models, newest first, sorted so that those on this machine, then those that fit, come first.

        Imports torch; opens no socket.
        """
        from model.device import free_bytes, pick_device
        from model.listing import memory_by_precision

        device = pick_device("auto")
        free = free_bytes(device)
        available = None if free is None else free + self._loader.held_bytes()
        offers = [_offer(family, memory_by_precision(family, device), available) for family in reversed(FAMILIES)]
        if self._started_with and (_is_folder(self._started_with) or find_family(self._started_with) is None):
            title = self._started_title()
            offers.append(ModelOffer(title, title, None, None, "", None, None, None, self._started_is_here()))
        return tuple(sorted(offers, key=lambda offer: (not offer.here, offer.fits is False)))

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
            self._loader.start(self._started_with, precision)
        elif self.folders and _is_folder(name):
            self._loader.start(name, precision)
        else:
            self._loader.start(self._hub_id(name), precision, hub_only=True)

    def _hub_id(self, name: str) -> str:
        from model.hub import cached_hub_id

        family = find_family(name) if "/" not in name else None
        hub_id = family.hub_id if family else name
        if not is_hub_id(hub_id):
            raise self._not_a_model(name)
        found = cached_hub_id(hub_id)
        if found is None and not self.downloads:
            raise ModelMissing(
                "{model} is not on this machine: start with --allow-download to download it.", model=hub_id
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
            "{name} is not a hub id such as {example}; a folder can be named here only if the page is served to this"
            " machine alone, else with --model on the command line.",
            name=shown,
            example=EXAMPLE,
        )

    def _started_title(self) -> str:
        """The name of --model as the page shows it, which must not reveal where a folder is."""
        return Path(self._started_with).resolve().name if _is_folder(self._started_with) else self._started_with

    def _started_is_here(self) -> bool:
        from model.hub import cached_hub_id

        return _is_folder(self._started_with) or cached_hub_id(self._started_with) is not None


def _is_listed(hub_id: str) -> bool:
    """Whether it is a known model, published by its makers' organisation."""
    from model.hub import OWNERS

    return find_family(hub_id) is not None and hub_id.split("/")[0] in OWNERS


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form owner/name that the hub allows; no path that leads elsewhere has it."""
    return len(name) <= MAX_NAME and bool(_HUB_ID.fullmatch(name)) and not re.search(r"\.\.|--", name)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # not accessible, or too long for a path
        return False


def _offer(family: Family, memory: dict[Precision, int | None], available: int | None) -> ModelOffer:
    from model.hub import cached_hub_id

    needed = [value for value in memory.values() if value is not None]
    found = cached_hub_id(family.hub_id)
    return ModelOffer(
        name=found or family.hub_id,
        title=family.name,
        parameters=family.parameters,
        context=family.context,
        licence=family.licence,
        int8_gb=_gigabytes(memory[Precision.INT8]),
        int4_gb=_gigabytes(memory[Precision.INT4]),
        fits=None if available is None else min(needed) <= available,
        here=found is not None,
    )


def _gigabytes(value: int | None) -> float | None:
    return None if value is None else value / GB
