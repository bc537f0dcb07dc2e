"""ASGI middleware in front of Gradio: allowed hosts, origins and routes, body limits, session owners, and the CSP.

Gradio has routes for uploaded and cached files, proxies, recordings and more. Only the routes that this page needs are
allowed. The page gets a Content-Security-Policy with a nonce, so that no script in a document runs and nothing is
loaded from outside, even if some text was not escaped.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.server.api.entry import DOCUMENTS_PATH, MAX_BODY_BYTES, Entry, is_api_path, is_manual, refused
from webui.server.connections import timed
from webui.server.documents import DOCUMENT_ROUTE
from webui.server.events import BODY_ROUTES, BodyRefused, again, check_event, parse_event, session_of
from webui.server.export import EXPORT_ROUTE
from webui.server.proxies import Proxies
from webui.server.sessions import SessionLogins
from webui.server.upload import owner_of
from webui.server.visitors import browser_cookie

MAX_REQUEST_BYTES = 8_000_000  # of a request other than an upload
MAX_STRANGER_BYTES = 16_000  # of a request by somebody who is not logged in, such as the login itself
MAX_UNSTATED_BYTES = 200_000_000  # assumed for an upload that does not state its size, to work out its time limit

_ROUTES = frozenset(
    (
        "/",
        "/config",
        "/theme.css",
        "/favicon.ico",
        "/robots.txt",
        "/manifest.json",
        "/login",
        "/login/callback",
        "/login/provider",
        "/logout",
        "/account",
        "/collections",
        "/library/add",
    )
)
_GRADIO_ROUTES = (
    "queue/join", "queue/data", "heartbeat/", "run/", "cancel", "reset", "startup-events", "theme.css",
    "login_check", "app_id", "info",
)  # fmt: skip
_CONVERSATION = re.compile(r"/c/[\w-]{1,64}\Z", re.ASCII)  # the page at the address of a conversation
_HEARTBEAT = "/gradio_api/heartbeat/"
_FORMS = ("/login", "/login/callback", "/login/provider", "/account", "/collections")
_UPLOADS = ("/library/add", DOCUMENTS_PATH)  # limits the file's size while it comes in
_FOLDERS = ("/assets/", "/static/", "/svelte/")
# The names of Gradio's scripts and style sheets contain a hash of their content.
_ASSET = re.compile(r"/assets/[^/]+-[\w-]{8,10}\.(?:js|css)\Z", re.ASCII)
# Link previews for chat programs: this page does not use them, and they point to other hosts.
_PREVIEWS = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')
_BASE = re.compile(rb'<base href="[^"]*" ?/?>')
_SCRIPT_TAG = re.compile(rb"<script(?=[\s>])")


@dataclass(frozen=True)
class Access:
    """The host names under which the page may be reached, and who may embed it."""

    names: set[str] = field(default_factory=set)  # allowed besides localhost and IP addresses; may grow
    any_name: bool = False  # behind a proxy that checks the name, such as that of Hugging Face Spaces
    frames: str = "'self'"  # who may show the page in a frame (CSP frame-ancestors)
    proxies: Proxies = field(default_factory=Proxies)  # whose word about host, scheme and client is believed

    def knows(self, host: str) -> bool:
        """Whether a Host header is allowed. An attacker's name that resolves to this server (DNS rebinding) is not."""
        name = _host_name(host)
        if self.any_name or name == "localhost" or name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(host: str) -> str:
    """The name or address in a Host header, in lower case without port and brackets; "" if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class Guard:
    """ASGI middleware around Gradio's app."""

    def __init__(self, app: ASGIApp, access: Access, head: str = "", entry: Entry | None = None) -> None:
        self.app = app
        self.access = access
        self.entry = entry  # None: no programs are let in
        self.head = f"{head}</head>".encode()
        self.logins = SessionLogins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = self.access.proxies.applied(scope)
        receive = timed(receive, _size(Headers(scope=scope)))
        if is_api_path(scope["path"]):
            await self._program(scope, receive, send)
            return
        is_page = scope["path"] == "/" or _CONVERSATION.match(scope["path"])
        reply = _Reply(send, self.access.frames, self.head, self._cookie(scope) if is_page else "")
        reply.is_asset = bool(_ASSET.match(scope["path"]))
        if scope["path"] in _FORMS:  # complete documents with their own styles
            reply.head = b"</head>"
            reply.base = b"../" if scope["path"].startswith("/login/") else b"./"
        refusal = self.refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refusal is None and scope["path"].startswith("/gradio_api/"):
            try:
                refusal, receive = await self._checked_event(scope, receive)
            except ClientDisconnect:
                return
        if refusal:
            status, text = refusal
            await reply.plain(scope, receive, text, status)
            return
        if scope["path"] == "/" and scope["query_string"] == b"view=api":  # where Gradio pages document their API
            await RedirectResponse("/api/docs")(scope, receive, reply)
            return
        if is_page and owner_of(HTTPConnection(scope)) is None:
            reply.base, reply.head = (b"./" if scope["path"] == "/" else b"../"), b"</head>"
            to = f"to={scope['path'][1:]}".encode()
            await self.app({**scope, "path": "/login", "raw_path": b"/login", "query_string": to}, receive, reply)
            return
        if _CONVERSATION.match(scope["path"]):  # the page's script takes the conversation from its address
            reply.base = b"../"
            scope = {**scope, "path": "/", "raw_path": b"/"}
        await self.app(scope, receive, reply)

    def _cookie(self, scope: Scope) -> str:
        """The Set-Cookie header of the page; "" with logins."""
        connection = HTTPConnection(scope)
        if scope["app"].auth is not None:
            return ""
        secure = scope.get("scheme") == "https"
        return browser_cookie(connection.cookies, secure=secure, embedded=self.access.frames != "'self'")

    async def _program(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a program's request, or pass it on with its owner in the request's state."""
        reply, path = _Reply(send, self.access.frames, b"</head>"), scope["path"]
        refusal = self.refusal(scope["method"], path, Headers(scope=scope))
        if refusal is None:
            owner = self.entry.owner(Request(scope)) if self.entry else None
            scope.setdefault("state", {})["owner"] = owner
            refusal = (401, "A valid API token is needed.") if owner is None else None
            if owner is not None and self.entry and not self.entry.may(owner, scope["method"], path):
                refusal = (403, "The role of this token's user does not allow that.")
        if refusal:
            await refused(path, *refusal)(scope, receive, reply)
        else:
            await self.app(scope, receive, reply)

    async def _checked_event(self, scope: Scope, receive: Receive) -> tuple[tuple[int, str] | None, Receive]:
        """A refusal, if the request is not what a page sends or names another login's session; and a fresh `receive`.

        Gradio itself lets anybody who knows a session's name listen to its answers and cancel them.
        """
        request, path = Request(scope, receive), scope["path"]
        login = owner_of(request)
        if login is None:  # refused before the body is read, so that strangers cannot make us parse it
            closed = request.method == "POST" or path.startswith(_HEARTBEAT)
            return ((401, "Log in first.") if closed else None), receive
        named = request.query_params.getlist("session_hash")
        if path.startswith(_HEARTBEAT):
            named.append(path.removeprefix(_HEARTBEAT))
        elif path.startswith(BODY_ROUTES) and request.method == "POST":
            body = await request.body()
            receive = again(body, receive)
            events = scope["app"].get_blocks().fns
            try:
                event = parse_event(body)
                check_event(path, event, events, {one.api_name for one in events.values()})
            except BodyRefused as refused_body:
                return (refused_body.status, refused_body.text), receive
            named += session_of(event)
        # Without logins, everybody is the same person.
        if login == "" or all(self.logins.claim(login, session) for session in named):
            return None, receive
        return (403, "This session is not yours."), receive

    def refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and text with which a request is refused; None if it is allowed."""
        host = headers.get("host", "")
        if not self.access.knows(host):
            return 421, (
                f"This server does not know itself as {host!r}. Open it by its address, or start it with --host-name."
            )
        if not _is_route(path):
            return 404, "Not here."
        most = MAX_STRANGER_BYTES if path in _FORMS else MAX_BODY_BYTES if is_api_path(path) else MAX_REQUEST_BYTES
        if path not in _UPLOADS and not _is_small(headers, most):
            return 413, f"Requests of up to {most:,} bytes that state their length are accepted here."
        if not self._same_site(method, path, headers, host):
            return 403, "Requests from other sites are refused."
        return None

    def _same_site(self, method: str, path: str, headers: Headers, host: str) -> bool:
        """Whether a request comes from our own page or from no page at all. Anybody may follow a link to the page."""
        # Even without reading the response, another site could tell from its timing whether a document is here.
        open_to_all = not path.startswith(("/gradio_api/", "/document/")) and path != "/logout"
        asks_only = method in ("GET", "HEAD") and open_to_all and (not is_api_path(path) or is_manual(path))
        if asks_only or method == "OPTIONS":
            return True
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        ours = {host.lower()}
        ours.add(headers.get("x-forwarded-host", host).lower())  # still there only if a proxy set it
        return urlsplit(origin).netloc.lower() in ours


def _is_route(path: str) -> bool:
    if path in _ROUTES or any(route.match(path) for route in (DOCUMENT_ROUTE, EXPORT_ROUTE, _CONVERSATION)):
        return True
    if is_api_path(path) and path.isprintable():
        return True
    if path.startswith("/gradio_api/"):
        return path.removeprefix("/gradio_api/").startswith(_GRADIO_ROUTES)
    return path.startswith(_FOLDERS) and ".." not in path and "\\" not in path


def _is_small(headers: Headers, most: int) -> bool:
    """Whether a request states its body's length, and that is at most `most` bytes. Gradio holds the body in memory."""
    if "transfer-encoding" in headers:
        return False
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length) <= most


def _size(headers: Headers) -> int:
    """The size of a body, as its request states it."""
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else MAX_UNSTATED_BYTES if "transfer-encoding" in headers else 0


class _Reply:
    """Adds security headers to a response and, to an HTML page, the nonce, our style sheet and our script."""

    def __init__(self, send: Send, frames: str, head: bytes, cookie: str = "") -> None:
        self._send = send
        self._frames = frames
        self.head = head  # inserted at the end of the page's head
        self._cookie = cookie  # Set-Cookie for an HTML page; "" for none
        self.is_asset = False  # a file whose name changes with its content
        self.base = b"./"  # base of the page's relative addresses
        self._start: Message | None = None  # held back until the body of an HTML page is complete
        self._body = b""

    async def plain(self, scope: Scope, receive: Receive, text: str, status: int) -> None:
        # Receiving the rest of the body would be pointless.
        headers = {"Connection": "close"} if _size(Headers(scope=scope)) > MAX_STRANGER_BYTES else None
        await PlainTextResponse(text, status, headers)(scope, receive, self)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"  # without any, the origin of our own forms would be "null"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            is_file = headers.get("content-disposition", "").startswith("attachment")
            if headers.get("content-type", "").startswith("text/html") and not is_file:
                self._start = message
                return
            headers.setdefault("Content-Security-Policy", "default-src 'none'; sandbox")
            if self.is_asset and message["status"] == 200:
                headers["Cache-Control"] = "public, max-age=31536000, immutable"  # a year
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page(self._start)
            return
        await self._send(message)

    async def _send_page(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        body = _PREVIEWS.sub(b"", self._body)
        # Gradio's own css option would prefix our selectors, and apply them only after its scripts have run.
        body = body.replace(b"</head>", self.head, 1)
        body = _SCRIPT_TAG.sub(b'<script nonce="' + nonce.encode() + b'"', body)
        body = _BASE.sub(b'<base href="' + self.base + b'">', body, count=1)
        headers = MutableHeaders(scope=start)
        if self._cookie:
            headers.append("Set-Cookie", self._cookie)
        headers["Content-Security-Policy"] = policy(nonce, self._frames)
        headers["Content-Length"] = str(len(body))
        headers["Cache-Control"] = "no-store"
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def policy(nonce: str, frames: str) -> str:
    """The page's Content-Security-Policy. Gradio builds components' scripts with Function(), hence unsafe-eval."""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "frame-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {frames}",
        )
    )
