"""The earlier questions as one open page shows them: a turn that has not changed since it was sent is not sent again.

Each drawing of a turn has a number. In place of a turn that is as it was, the page is sent the number of that drawing;
a page that has another one, or none, asks for all of them.
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
    """A drawing of a turn, which the page was sent before or is to be sent now."""

    number: int
    sent: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    exchange: Exchange  # as it was
    circumstances: tuple[Any, ...]
    number: int


@dataclass
class DrawnTurns:
    """The turns as the page was sent them last, by exchange."""

    _sent: dict[int, _Sent] = field(default_factory=dict)

    def draw(self, exchange: Exchange, circumstances: tuple[Any, ...]) -> Drawing:
        """The drawing that shows an exchange; `circumstances`: all that it depends on besides."""
        known = self._sent.get(exchange.id)
        if known is not None and known.circumstances == circumstances and known.exchange == exchange:
            return Drawing(known.number, sent=True)
        number = time.time_ns()
        self._sent[exchange.id] = _Sent(copy.copy(exchange), circumstances, number)
        return Drawing(number, sent=False)

    def keep_only(self, ids: Collection[int]) -> None:
        """Forget the turns of other exchanges, which the page no longer shows."""
        self._sent = {exchange_id: sent for exchange_id, sent in self._sent.items() if exchange_id in ids}

    def forget(self) -> None:
        """Send all turns again."""
        self._sent = {}
