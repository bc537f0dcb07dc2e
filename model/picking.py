"""Which GLMs a person at the page may pick: what is offered, what is refused, and the loading of what is picked.

What is typed on a page is not trusted as what is typed on the command line is: it names models of the hub, and
folders only where the page is served to this machine alone. Knows nothing of who shows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.background import Loading
from model.families import FAMILIES, GB, Family, Precision, find_family
from rag.errors import ModelMissing, SettingRefused

EXAMPLE: Final = "zai-org/GLM-4-9B-0414"
LONGEST_NAME: Final = 200  # characters; the hub takes 96 after the owner
# Owner and name as the hub allows them: https://huggingface.co/docs/huggingface_hub, validate_repo_id.
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offer:
    """One model that can be picked. Numbers are computed from the published geometry, not measured."""

    name: str  # what `Picking.pick` takes
    title: str  # what people call it
    parameters: float | None  # billions; None, here and below: not known
    context: int | None  # tokens, prompt and answer
    licence: str  # in one word; "" where it is not known
    int8_gb: float | None  # gigabytes to load and answer; None as well where it cannot be held so
    int4_gb: float | None
    fits: bool | None  # at any precision, in what is free or will be
    here: bool  # whether it is on this machine


class Picking:
    """What the page may ask for; one loading for all pages."""

    precisions: Final = ("auto", "bf16", "int8", "int4")

    def __init__(self, loading: Loading, *, download: bool, folders: bool, started_with: str = "") -> None:
        """`download`: models that are not here may be fetched; `folders`: may be named; `started_with`: --model."""
        self.downloads, self.folders = download, folders
        self._loading = loading
        self._started_with = started_with

    def offers(self) -> tuple[Offer, ...]:
        """The known models, newest first; before them those on this machine, and those that fit.

        Imports torch; opens no socket.
        """
        from model.device import free_bytes, pick_device
        from model.listing import memory_of

        device = pick_device("auto")
        free = free_bytes(device)
        room = None if free is None else free + self._loading.held_bytes()
        offers = [_offer(family, memory_of(family, device), room) for family in reversed(FAMILIES)]
        if self._started_with and (_is_folder(self._started_with) or find_family(self._started_with) is None):
            title = self._title()
            offers.append(Offer(title, title, None, None, "", None, None, None, self._started_is_here()))
        return tuple(sorted(offers, key=lambda offer: (not offer.here, offer.fits is False)))

    def pick(self, name: str, precision: str) -> None:
        """Begin to load what was picked; "" goes back to the reader that needs no model.

        Raises SettingRefused or ModelMissing with one sentence for what may not, or cannot, be had.
        """
        if precision not in self.precisions:
            raise SettingRefused(f"The precision {precision[:20]!r} is none; choose {', '.join(self.precisions)}.")
        name = name.strip()
        if not name:
            self._loading.unload()
        elif self._started_with and name == self._title():
            self._loading.start(self._started_with, precision)
        elif self.folders and _is_folder(name):
            self._loading.start(name, precision)
        else:
            self._loading.start(self._hub_id(name), precision, hub_only=True)

    def _hub_id(self, name: str) -> str:
        from model.hub import on_disk

        family = find_family(name) if "/" not in name else None
        hub_id = family.hub_id if family else name
        if not is_hub_id(hub_id):
            raise SettingRefused(self._not_a_model(name))
        found = on_disk(hub_id)
        if found is None and not self.downloads:
            raise ModelMissing(f"{hub_id} is not on this machine: start with --allow-download to fetch it.")
        if found is None and not self.folders and not _is_listed(hub_id):
            raise SettingRefused(
                f"{hub_id} is not on the list: where others reach the page, only models of the list are fetched."
            )
        return found or hub_id

    def _not_a_model(self, name: str) -> str:
        shown = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
        if self.folders:
            return f"{shown!r} is neither a folder nor a hub id such as {EXAMPLE}."
        return (
            f"{shown!r} is no hub id such as {EXAMPLE}; a folder can be named here only where the page is served to"
            " this machine alone, else with --model on the command line."
        )

    def _title(self) -> str:
        """What --model is called on the page, which is not told where its folder lies."""
        return Path(self._started_with).resolve().name if _is_folder(self._started_with) else self._started_with

    def _started_is_here(self) -> bool:
        from model.hub import on_disk

        return _is_folder(self._started_with) or on_disk(self._started_with) is not None


def _is_listed(hub_id: str) -> bool:
    """Whether it is a known model of its makers, who have two names on the hub."""
    return find_family(hub_id) is not None and hub_id.split("/")[0] in ("THUDM", "zai-org")


def is_hub_id(name: str) -> bool:
    """Whether `name` is owner/name as the hub allows it; a path that leads elsewhere is not."""
    return len(name) <= LONGEST_NAME and bool(_HUB_ID.fullmatch(name)) and not re.search(r"\.\.|--", name)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # may not be looked at, or is too long to be one
        return False


def _offer(family: Family, memory: dict[Precision, int | None], room: int | None) -> Offer:
    from model.hub import on_disk

    needed = [value for value in memory.values() if value is not None]
    found = on_disk(family.hub_id)
    return Offer(
        name=found or family.hub_id,
        title=family.name,
        parameters=family.parameters,
        context=family.context,
        licence=family.licence,
        int8_gb=_gigabytes(memory[Precision.INT8]),
        int4_gb=_gigabytes(memory[Precision.INT4]),
        fits=None if room is None else min(needed) <= room,
        here=found is not None,
    )


def _gigabytes(value: int | None) -> float | None:
    return None if value is None else value / GB
