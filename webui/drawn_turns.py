"""The earlier questions as one open page shows them: a turn that has not changed is not sent again.

Each drawing of a turn has a number. For an unchanged turn, the page is sent only that number. A page that does not have
this drawing asks for all turns.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from webui.conversation import Exchange


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing of a turn that the page has, or is sent now."""

    number: int
    sent: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    exchange: Exchange  # as it was
    circumstances: tuple[Any, ...]
    number: int


@dataclass
class DrawnTurns:
    """The turns last sent to the page, by exchange."""

    _sent: dict[int, _Sent] = field(default_factory=dict)

    def draw(self, exchange: Exchange, circumstances: tuple[Any, ...]) -> Drawing:
        """The drawing of an exchange. `circumstances`: everything else that it depends on."""
        known = self._sent.get(exchange.id)
        if known is not None and known.circumstances == circumstances and known.exchange == exchange:
            return Drawing(known.number, sent=True)
        number = time.time_ns()
        self._sent[exchange.id] = _Sent(copy.copy(exchange), circumstances, number)
        return Drawing(number, sent=False)

    def keep_only(self, ids: Collection[int]) -> None:
        """Forget the turns of all other exchanges; the page no longer shows them."""
        self._sent = {exchange_id: sent for exchange_id, sent in self._sent.items() if exchange_id in ids}

    def forget(self) -> None:
        """Send all turns again next time."""
        self._sent = {}
