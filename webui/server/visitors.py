"""Whose conversations a request may see: a login's or, without logins, those of a browser, identified by a cookie."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Final

COOKIE: Final = "ask-browser"
MAX_AGE: Final = 400 * 24 * 3600  # seconds; the longest that browsers allow
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits


def conversation_owner(login: str, cookies: Mapping[str, str]) -> str:
    """The owner of conversations; "" for a browser without the cookie, for which nothing is stored.

    The cookie gives access to all conversations of a browser, so only its hash is stored.
    """
    if login:
        return f"login:{login}"
    secret = cookies.get(COOKIE, "")
    return f"browser:{hashlib.sha256(secret.encode()).hexdigest()}" if _SECRET.fullmatch(secret) else ""


def browser_cookie(cookies: Mapping[str, str], *, secure: bool, embedded: bool) -> str:
    """A Set-Cookie header that renews a browser's cookie for MAX_AGE, or gives it one.

    `secure`: the page came over HTTPS. `embedded`: other sites may show it in a frame, where browsers only accept
    cookies partitioned by the surrounding site (https://developer.mozilla.org/docs/Web/Privacy/CHIPS).
    """
    secret = cookies.get(COOKIE, "")
    jar = SimpleCookie({COOKIE: secret if _SECRET.fullmatch(secret) else secrets.token_urlsafe(32)})
    kept = jar[COOKIE]
    kept["path"], kept["max-age"], kept["httponly"] = "/", str(MAX_AGE), True
    kept["samesite"] = "None" if embedded and secure else "Lax"
    if secure:
        kept["secure"] = True
    return kept.OutputString() + ("; Partitioned" if embedded and secure else "")
