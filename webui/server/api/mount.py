"""The interfaces for programs, as routes of the page's server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Mount, Route

from webui.engine import Engine
from webui.server.api.asking import Asking
from webui.server.api.chat import chat_app
from webui.server.api.entry import MCP_PATH
from webui.server.api.rest import api_app
from webui.server.api.tools import HttpTools


class ProgramRoutes:
    """The routes, and the lifespan of the server behind them."""

    def __init__(self, engine: Engine, incoming: Path) -> None:
        asking = Asking(engine)
        self._tools = HttpTools(engine, asking)
        self.routes: list[BaseRoute] = [
            Mount("/api", api_app(engine, asking, incoming)),
            Mount("/v1", chat_app(engine, asking)),
            Route(MCP_PATH, self._tools, methods=["POST"]),  # There are no sessions, so nothing to GET or DELETE,
        ]

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Run the MCP server while the page is served."""
        async with self._tools.manager.run():
            yield
