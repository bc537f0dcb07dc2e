"""Serves the page: Gradio's server behind the guard, with the upload route and the style sheets."""

from __future__ import annotations

import errno
import ipaddress
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import gradio as gr
from anyio import to_thread
from gradio.route_utils import CustomCORSMiddleware
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from rag.errors import SettingRefused
from webui.accounts.accounts import Accounts
from webui.answering import MAX_ANSWERS, Answers
from webui.engine import Engine
from webui.handlers import People
from webui.models import Models
from webui.page import build_page, head_script
from webui.server.api.entry import Entry
from webui.server.api.mount import ProgramRoutes
from webui.server.api.tokens import ApiTokens
from webui.server.collections import collection_routes
from webui.server.connections import HEAD_SECONDS, UnfinishedRequests
from webui.server.documents import document_routes
from webui.server.export import export_route
from webui.server.guard import Access, Guard
from webui.server.login import LoginRoutes
from webui.server.polls import Polls
from webui.server.traffic import Traffic
from webui.server.upload import upload_route
from webui.server.watch import Watch

_STATIC: Final = Path(__file__).parents[1] / "static"
# The order matters: rules for narrow screens come last.
STYLES: Final = (
    "style.css",
    "library.css",
    "drawer.css",
    "conversation.css",
    "viewer.css",
    "evaluation.css",
    "keys.css",
    "settings.css",
    "narrow.css",
)


@dataclass(frozen=True)
class Serving:
    """Where and for whom the page is served."""

    host: str = "127.0.0.1"
    port: int = 7860  # 0 for any free one
    share: bool = False  # a public address through Gradio's servers
    accounts: Accounts = field(default_factory=Accounts)  # who may log in; with no users, nobody has to
    access: Access = field(default_factory=Access)
    traffic: Traffic = field(default_factory=Traffic)  # counts requests, and can refuse new work

    @property
    def is_private(self) -> bool:
        """Whether only people at this machine can reach it; programs then need no token."""
        elsewhere = self.share or self.access.names or self.access.any_name
        return not (self.accounts.needed or elsewhere) and _is_loopback(self.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def serve(
    engine: Engine, serving: Serving, *, models: Models | None = None, raise_errors: bool = False
) -> tuple[gr.Blocks, str]:
    """Start the server in its own thread; returns the page, whose `close()` ends it, and its address.

    With `models`, one of them can be chosen on the page; with logins only by administrators, since all users share it.
    Raises OSError if the port is taken.
    """
    incoming = engine.settings.data_dir / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)  # left over from interrupted uploads
    incoming.mkdir(parents=True, mode=0o700)
    accounts = serving.accounts
    entry = Entry(ApiTokens(engine.settings.data_dir), accounts, token_needed=not serving.is_private)
    watch = Middleware(Watch, traffic=serving.traffic, state=lambda: engine.readiness.state)
    guard = Middleware(Guard, access=serving.access, head=_head(), entry=entry)
    programs = ProgramRoutes(engine, incoming)
    routes = _routes(engine, serving, incoming, programs)
    answers = Answers(engine, raise_errors=raise_errors)
    serving.traffic.awaits(answers.__len__)
    people = People(accounts.role, accounts.name_of)
    page = build_page(engine, answers, models=models, people=people, raise_errors=raise_errors)
    unfinished = UnfinishedRequests(HEAD_SECONDS)
    _, url, public = page.launch(
        server_name=serving.host,
        server_port=serving.port or _free_port(serving.host),
        share=serving.share,
        auth=(lambda user, password: False) if accounts.needed else None,  # the login route stands before Gradio's
        theme=theme(),
        favicon_path=_STATIC / "favicon.svg",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=False,
        quiet=True,
        _frontend=False,  # else the program ends if a busy machine cannot answer Gradio within 3 s
        prevent_thread_lock=True,
        max_threads=MAX_ANSWERS + 32,  # answers never block the other events of the page
        blocked_paths=[str(engine.settings.data_dir.resolve())],
        max_file_size=1,  # 1 byte: Gradio's own upload is not used, and the guard blocks it
        app_kwargs={
            "middleware": [watch, guard, Middleware(Polls, polling=page.polling)],
            "routes": routes,
            "lifespan": _lifespan(programs, answers, unfinished, accounts),
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    )
    unfinished.server = page.server
    if public:
        # Gradio's page for share links loads scripts from another host; use the local ones instead.
        page.share = False
        serving.access.names.add(urlsplit(public).hostname or "")
    return page, public or url


def _lifespan(
    programs: ProgramRoutes, answers: Answers, unfinished: UnfinishedRequests, accounts: Accounts
) -> Callable[[gr.routes.App], AbstractAsyncContextManager[None]]:
    """What runs while the page is served, and ends with it."""

    @asynccontextmanager
    async def lifespan(app: gr.routes.App) -> AsyncIterator[None]:
        _remove_cors(app)
        if accounts.needed:
            app.tokens = accounts  # type: ignore[assignment]  # Gradio asks it whose a token is
        async with programs.lifespan(app), unfinished.watched():
            yield
        await to_thread.run_sync(answers.close)

    return lifespan


def _remove_cors(app: gr.routes.App) -> None:
    """Stop other origins from reading responses. Gradio allows all ports of this machine, with the person's cookies."""
    middleware: list[Any] = app.user_middleware
    app.user_middleware = [one for one in middleware if one.cls is not CustomCORSMiddleware]
    app.middleware_stack = app.build_middleware_stack()


def _routes(engine: Engine, serving: Serving, incoming: Path, programs: ProgramRoutes) -> list[BaseRoute]:
    """The routes that are not Gradio's."""
    accounts = serving.accounts
    login = LoginRoutes(accounts, embedded=serving.access.frames != "'self'").routes if accounts.needed else ()
    upload = upload_route(engine, incoming, accounts.role)
    shared = collection_routes(engine, accounts) if accounts.needed else ()
    return [*login, *shared, upload, *document_routes(engine), export_route(engine), *programs.routes]


def _head() -> str:
    """Our style sheet and script, for the page's head."""
    style = "".join((_STATIC / name).read_text(encoding="utf-8") for name in STYLES)
    return f"<style>\n{style}</style><script>\n{head_script()}</script>"


def _free_port(host: str) -> int:
    import socket

    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def theme() -> gr.themes.Base:
    """System fonts, so that none are downloaded. Colours are in style.css."""
    fonts = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Microsoft YaHei",
             "Noto Sans CJK SC", "sans-serif")  # fmt: skip
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        font=[gr.themes.Font(name) for name in fonts],
        font_mono=[gr.themes.Font(name) for name in mono],
    )


# ---- why a port cannot be served


def cannot_serve(host: str, port: int, error: OSError) -> SettingRefused:
    """Why the page cannot be served: an error that names the option to change."""
    if error.filename:
        return SettingRefused(
            "{path} cannot be used ({reason}): choose another folder with --data-dir.",
            path=str(error.filename),
            reason=error.strerror or type(error).__name__,
        )
    reason = refusal_to_listen(host, port)
    if isinstance(reason, socket.gaierror) or (reason and reason.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        return SettingRefused(
            "--host takes an address of this machine, not {host!r}: 127.0.0.1 for this machine only, 0.0.0.0 for all of"
            " its networks.",
            host=host,
        )
    if isinstance(reason, PermissionError):
        return SettingRefused(
            "Port {port} on {host} is reserved for administrators: choose 1024 or above with --port.",
            port=port,
            host=host,
        )
    return SettingRefused("Port {port} on {host} cannot be used: choose another with --port.", port=port, host=host)


def refusal_to_listen(host: str, port: int) -> OSError | None:
    """Why nothing can listen there; None if it works. Tried again because Gradio hides the reason."""
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((name, port), family=family).close()
    except UnicodeError:  # not a valid host name
        return socket.gaierror(socket.EAI_NONAME, "no such name")
    except OSError as error:
        return error
    return None
