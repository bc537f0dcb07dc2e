"""Authenticates programs by their API tokens. None is needed if only this machine can reach the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.accounts.accounts import Accounts
from webui.accounts.roles import Right
from webui.server.api.tokens import ApiTokens
from webui.server.upload import owner_of

DOCUMENTS_PATH: Final = "/api/documents"
MCP_PATH: Final = "/mcp"
MAX_BODY_BYTES: Final = 1_000_000  # of a request other than an upload
_PREFIXES = ("/api/", "/v1/")
_MANUAL = ("/api/docs", "/api/openapi.json")  # pages for people; the same for everybody


def is_api_path(path: str) -> bool:
    """Whether a path belongs to one of the interfaces for programs."""
    return path.startswith(_PREFIXES) or path == MCP_PATH


def is_manual(path: str) -> bool:
    """Whether a path is that of the documentation, to which other sites may link."""
    return path in _MANUAL


@dataclass(frozen=True)
class Entry:
    """Who may use the interfaces for programs, and as which owner."""

    tokens: ApiTokens
    accounts: Accounts
    token_needed: bool

    def owner(self, request: Request) -> str | None:
        """The owner whose documents a request may see, "" without logins; None if the request has to be refused."""
        if is_manual(request.scope["path"]) and owner_of(request) is not None:
            return owner_of(request)
        if not self.token_needed:
            return ""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = self.tokens.user(token.strip()) if scheme.lower() == "bearer" else None
        if user is None or not self.accounts.needed:
            return None if user is None else ""
        return user if user in self.accounts else None

    def may(self, owner: str, method: str, path: str) -> bool:
        """Whether an owner's role allows a request. Changing documents requires the right to add them."""
        changes = path.startswith(DOCUMENTS_PATH) and method not in ("GET", "HEAD", "OPTIONS")
        return not changes or self.accounts.role(owner).may(Right.ADD)


def refused(path: str, status: int, sentence: str) -> JSONResponse:
    """An error response in the format that clients of this path expect."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    encodable = sentence.encode("utf-8", "replace").decode()
    return JSONResponse(error_body(path, status, encodable), status, headers)


def error_body(path: str, status: int, sentence: str) -> dict[str, object]:
    """`{"error": sentence}`, or the object that OpenAI's clients expect."""
    if not path.startswith("/v1/"):
        return {"error": sentence}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": sentence, "type": kind, "param": None, "code": None}}
