"""The model server connected to on the page: lists its models, and remembers the connection for the next start.

The address, the model and the key are stored in a file that only its owner can read.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from model.completion import error_detail
from model.remote import DEFAULT_CONTEXT, RemoteReader, base_url
from model.server_context import listed_context
from rag.errors import ServerUnreachable, SettingRefused

log = logging.getLogger(__name__)

TEST_SECONDS: Final = 10.0  # for the list of models
MAX_MODELS: Final = 200  # of a server, that are listed
MAX_KEY: Final = 4_000  # characters of a key
OWNER_ONLY: Final = 0o600  # permissions of the file


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server offers."""

    name: str
    context: int  # tokens of prompt and answer; a cautious guess if the list does not tell


@dataclass(frozen=True, slots=True)
class Connection:
    """A model on a server."""

    server: str  # address
    model: str
    context: int  # tokens
    key: str = ""  # bearer token; "" for none

    def reader(self) -> RemoteReader:
        """A reader that asks it. Raises SettingRefused if the address is not valid."""
        return RemoteReader(self.server, self.model, key=self.key, fallback_context=self.context)


def served_models(server: str, key: str = "") -> tuple[ServedModel, ...]:
    """The models of a server with OpenAI's API (`GET /v1/models`), with the context that vLLM and llama.cpp tell.

    Raises SettingRefused if `server` or `key` cannot be valid, and ServerUnreachable if it does not respond or refuses.
    """
    if len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
        raise SettingRefused("The key contains characters that are not allowed in a key: copy it again.")
    url = base_url(server)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(timeout=TEST_SECONDS, headers=headers, trust_env=False) as client:
            response = client.get(f"{url}/models")
        listed = response.json()["data"] if response.is_success else None
        models = None if listed is None else tuple(map(_served, listed[:MAX_MODELS]))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise ServerUnreachable(
            "No model server answers at {url} ({reason}): check the address, and that the server runs.",
            url=url,
            reason=str(error) or type(error).__name__,
        ) from error
    if models is None:
        raise ServerUnreachable(
            "The model server {url} refused to list its models (status {status}: {detail}): check the key.",
            url=url,
            status=response.status_code,
            detail=error_detail(response),
        )
    if not models:
        raise ServerUnreachable("The model server {url} runs, but offers no model: load one there.", url=url)
    return models


def _served(data: dict[str, Any]) -> ServedModel:
    return ServedModel(str(data["id"]), listed_context(data) or DEFAULT_CONTEXT)


class ConnectionFile:
    """The file that keeps the connection between starts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Connection | None:
        """The connection; None if there is none, or the file cannot be used."""
        try:
            return Connection(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s cannot be used (%s): connect to the model server again", self._path, type(error).__name__)
            return None

    def save(self, connection: Connection) -> None:
        """Store a connection, replacing the one before; at no time can anybody but the owner read the file."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(connection), file)
        new.replace(self._path)

    def remove(self) -> None:
        """Forget the connection."""
        self._path.unlink(missing_ok=True)
