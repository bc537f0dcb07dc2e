"""Logging in with an account elsewhere: OpenID Connect, using the authorisation code flow with PKCE.

OpenID Connect Core 1.0, RFC 6749 and RFC 7636. We ask the provider's userinfo endpoint who the person is, over our own
connection, so no token signature has to be checked. On a Hugging Face Space with `hf_oauth` the provider is Hugging
Face, and the environment tells how to reach it.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from rag.errors import LoginRefused

logger = logging.getLogger(__name__)

HUGGING_FACE: Final = "https://huggingface.co"
LOGIN_SECONDS: Final = 600.0  # from the click to the return from the provider
MAX_LOGINS: Final = 1_000  # logins begun but not finished; the oldest are forgotten
_SECONDS: Final = 10.0  # for one response of the provider
_MAX_CHARACTERS: Final = 200  # of what the provider says about a person


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people have their accounts, and how this server is registered there."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str = "openid profile"
    administrator: str = ""  # subject of the person who administers this server; "" for nobody
    server: str = ""  # address of this server, to which people return; "": the one in the browser's request
    name: str = "Hugging Face"  # shown to people

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Provider | None:
        """The provider named by a Space's environment; None without one.

        https://huggingface.co/docs/hub/spaces-oauth
        """
        client_id, secret = environment.get("OAUTH_CLIENT_ID", ""), environment.get("OAUTH_CLIENT_SECRET", "")
        if not (client_id and secret):
            return None
        return cls(
            environment.get("OPENID_PROVIDER_URL", HUGGING_FACE).rstrip("/"),
            client_id,
            secret,
            environment.get("OAUTH_SCOPES") or "openid profile",
            environment.get("SPACE_CREATOR_USER_ID", ""),
            f"https://{host}" if (host := environment.get("SPACE_HOST", "")) else "",
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has logged in at the provider."""

    subject: str  # the provider never gives it to another person
    name: str  # shown to people; the provider may give it to somebody else later


@dataclass(frozen=True, slots=True)
class _Begun:
    """A login whose person is still at the provider."""

    redirect: str
    verifier: str  # of PKCE
    to: str
    until: float


class ProviderLogin:
    """Logins through one provider. Thread-safe."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, redirect: str, to: str) -> tuple[str, str]:
        """The provider's address to send a person to, and the state to keep in a cookie of their browser.

        `redirect`: our address to which they return; `to`: the place to show after the login. Raises LoginRefused.
        """
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.provider.client_id,
                "redirect_uri": redirect,
                "scope": self.provider.scopes,
                "state": state,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        address = f"{self._endpoint(self._description(), 'authorization_endpoint')}?{query}"
        with self._lock:
            self._begun[state] = _Begun(redirect, verifier, to, self._clock() + LOGIN_SECONDS)
            while len(self._begun) > MAX_LOGINS:
                self._begun.popitem(last=False)
        return address, state

    def finish(self, state: str, kept: str, code: str) -> tuple[Identity, str]:
        """Who has returned, and the place to show them. `kept`: the state in the cookie of that browser.

        Each login can be finished only once. Raises LoginRefused.
        """
        with self._lock:
            begun = self._begun.pop(state, None) if secrets.compare_digest(state.encode(), kept.encode()) else None
        if begun is None or not code or self._clock() > begun.until:
            raise LoginRefused("This login was not started in this browser, or took too long: try again.")
        description = self._description()
        token = self._asked(
            "POST",
            self._endpoint(description, "token_endpoint"),
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": begun.redirect,
                "client_id": self.provider.client_id,
                "code_verifier": begun.verifier,
            },
            auth=(self.provider.client_id, self.provider.client_secret),
        ).get("access_token")
        if not isinstance(token, str):
            raise self._failed("there is no access token")
        address = self._endpoint(description, "userinfo_endpoint")
        said = self._asked("GET", address, headers={"Authorization": f"Bearer {token}"})
        subject, name = said.get("sub"), said.get("preferred_username") or said.get("name")
        if not (_is_said(subject) and _is_said(name)):
            raise self._failed("it does not say who that is")
        return Identity(str(subject), str(name)), begun.to

    def _description(self) -> dict[str, Any]:
        """The provider's description of itself. Raises LoginRefused."""
        return self._asked("GET", f"{self.provider.url}/.well-known/openid-configuration")

    def _endpoint(self, description: Mapping[str, Any], name: str) -> str:
        """An address from the provider's description. Raises LoginRefused."""
        address = description.get(name)
        ours = urlsplit(self.provider.url)
        # A description that points to another host would get our secret sent there.
        if not isinstance(address, str) or urlsplit(address)[:2] != ours[:2]:
            raise self._failed(f"its {name} is not on {ours.netloc}")
        return address

    def _asked(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        try:
            response = httpx.request(method, address, timeout=_SECONDS, **options)
            response.raise_for_status()
            said = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(type(error).__name__) from error
        if not isinstance(said, dict):
            raise self._failed("its answer is no object")
        return said

    def _failed(self, reason: str) -> LoginRefused:
        logger.warning("Login with %s failed: %s", self.provider.name, reason)
        return LoginRefused("The login with {provider} failed: try again later.", provider=self.provider.name)


def _is_said(value: object) -> bool:
    """Whether a value from the provider can be stored and shown."""
    return isinstance(value, str) and 0 < len(value.strip()) <= _MAX_CHARACTERS and value.isprintable()
