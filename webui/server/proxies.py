"""Forwarded headers: believed if they come from the configured reverse proxies, removed from all other requests."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDED: Final = (b"x-forwarded-", b"x-real-ip", b"forwarded")


@dataclass(frozen=True)
class Proxies:
    """The reverse proxies in front of this server."""

    networks: tuple[Network, ...] = ()
    everybody: bool = False  # nothing but a proxy can reach this server, as on a Hugging Face Space

    def includes(self, address: str) -> bool:
        """Whether an address belongs to a proxy."""
        if self.everybody:
            return True
        if not self.networks:
            return False
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.networks)

    def applied(self, scope: Scope) -> Scope:
        """A request as its proxy describes it (client and scheme). Without a proxy, forwarded headers are removed."""
        client = scope.get("client")
        if client is None or not self.includes(client[0]):
            kept = [(name, value) for name, value in scope["headers"] if not name.startswith(_FORWARDED)]
            return {**scope, "headers": kept}
        headers = Headers(scope=scope)
        changed = dict(scope)
        if address := self._client(headers.getlist("x-forwarded-for")):
            changed["client"] = (address, 0)
        if _first(headers.get("x-forwarded-proto", "")) == "https":
            changed["scheme"] = "https"
        return changed

    def _client(self, forwarded: Iterable[str]) -> str:
        """The last address that is not a proxy's; a client can write anything before that."""
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        if self.everybody:
            return hops[-1] if hops else ""
        return next((hop for hop in reversed(hops) if hop and not self.includes(hop)), "")


def _first(values: str) -> str:
    return values.split(",")[0].strip().lower()
