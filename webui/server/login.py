"""Routes for logging in and out, and the page for one's account. They replace Gradio's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rag.errors import LoginRefused, SettingRefused
from rag.messages import Message
from webui.accounts.accounts import MAX_SECONDS, Accounts
from webui.accounts.provider import LOGIN_SECONDS
from webui.accounts.roles import Right, Role, require
from webui.edge import errors_shown
from webui.server.upload import owner_of
from webui.strings import Language, language_of, say, say_message
from webui.views.account import ROLE_WORDS, account_html, login_html

_PLACE: Final = re.compile(r"(?:c/[\w-]{1,64})?\Z", re.ASCII)  # where a login may lead: the page, or a conversation
_STATE: Final = "login-state"  # cookie of a browser that was sent to the provider
_SECURE, _PLAIN = "access-token", "access-token-unsecure"  # where Gradio looks for the token, in this order


class LoginRoutes:
    """The routes of a server with logins."""

    def __init__(self, accounts: Accounts, *, embedded: bool) -> None:
        """`embedded`: other sites may show this page in a frame, where browsers require partitioned cookies."""
        self._accounts, self._embedded = accounts, embedded
        self.routes = [
            Route("/login", self.log_in, methods=["POST"]),
            Route("/login", self.login_page),
            Route("/login/provider", self.to_provider),
            Route("/login/callback", self.from_provider),
            Route("/logout", self.log_out),
            Route("/account", self.account_page),
            Route("/account", self.change_account, methods=["POST"]),
        ]

    async def login_page(self, request: Request) -> Response:
        """The form; `to` in the query is where it leads."""
        if owner_of(request) is not None:
            return RedirectResponse("./", 303)
        return self._form(request, to=_place(request.query_params.get("to", "")))

    async def log_in(self, request: Request) -> Response:
        """Begin a session: for browsers with a redirect, for programs with JSON."""
        language, form = language_of(request), await form_of(request)
        name, to = form.get("username", "").strip(), _place(form.get("to", ""))
        try:
            token = await run_in_threadpool(self._accounts.log_in, name, form.get("password", ""), _address(request))
        except LoginRefused as refused:
            status = 429 if refused.seconds else 400
            headers = {"Retry-After": str(refused.seconds)} if refused.seconds else {}
            if _is_program(request):
                return JSONResponse({"detail": say_message(language, refused.message)}, status, headers)
            return self._form(request, status, headers, to=to, name=name, problem=refused.message)
        done: Response = JSONResponse({"success": True}) if _is_program(request) else RedirectResponse(f"./{to}", 303)
        self._enter(request, done, token)
        return done

    def _form(
        self,
        request: Request,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        to: str = "",
        name: str = "",
        problem: Message | None = None,
    ) -> HTMLResponse:
        login = self._accounts.provider
        provider = login.provider.name if login else ""
        html = login_html(
            language_of(request), to=to, name=name, problem=problem, provider=provider, embedded=self._embedded
        )
        return HTMLResponse(html, status, headers)

    async def to_provider(self, request: Request) -> Response:
        """Send a person to the provider; a cookie holds what they come back with."""
        if (login := self._accounts.provider) is None:
            return RedirectResponse("../login", 303)
        back = f"{login.provider.server or str(request.base_url).rstrip('/')}/login/callback"
        try:
            address, state = await run_in_threadpool(login.begin, back, _place(request.query_params.get("to", "")))
        except LoginRefused as refused:
            return self._form(request, 502, problem=refused.message)
        response = RedirectResponse(address, 303)
        secure = back.startswith("https:")
        response.set_cookie(
            _STATE, state, int(LOGIN_SECONDS), path="/login", httponly=True, secure=secure, samesite="lax"
        )
        return response

    async def from_provider(self, request: Request) -> Response:
        """Begin a session for whoever comes back from the provider."""
        if (login := self._accounts.provider) is None:
            return RedirectResponse("../login", 303)
        query, kept = request.query_params, request.cookies.get(_STATE, "")
        try:
            identity, to = await run_in_threadpool(login.finish, query.get("state", ""), kept, query.get("code", ""))
            token = await run_in_threadpool(self._accounts.log_in_as, identity)
        except LoginRefused as refused:
            return self._form(request, 400, problem=refused.message)
        done = RedirectResponse(f"../{to}", 303)
        done.delete_cookie(_STATE, path="/login")
        self._enter(request, done, token)
        return done

    def _enter(self, request: Request, response: Response, token: str) -> None:
        """Give the browser the cookie of a session."""
        secure = request.url.scheme == "https"
        partitioned = self._embedded and secure
        response.set_cookie(
            f"{_SECURE if secure else _PLAIN}-{request.app.cookie_id}",
            token,
            int(MAX_SECONDS),
            httponly=True,
            secure=secure,
            samesite="none" if partitioned else "lax",
        )
        if partitioned:
            response.headers["set-cookie"] += "; Partitioned"

    async def log_out(self, request: Request) -> Response:
        """End the session of this browser."""
        for token in _tokens(request):
            self._accounts.log_out(token)
        return _left(request)

    async def account_page(self, request: Request) -> Response:
        """The page about one's account."""
        if not (user_id := owner_of(request)):
            return RedirectResponse("./", 303)
        return await run_in_threadpool(_AccountPage(self._accounts, user_id).shown, language_of(request))

    async def change_account(self, request: Request) -> Response:
        """Do what a form of that page asks for."""
        if not (user_id := owner_of(request)):
            return RedirectResponse("./", 303)
        page, language, form = _AccountPage(self._accounts, user_id), language_of(request), await form_of(request)
        if form.get("do") == "log-out-everywhere":
            await run_in_threadpool(self._accounts.log_out_everywhere, user_id)
            return _left(request)
        token = await run_in_threadpool(page.change, form, _address(request), language)
        shown = await run_in_threadpool(page.shown, language)
        if token:
            self._enter(request, shown, token)
        return shown


class _AccountPage:
    """The page for one's account, for one request."""

    def __init__(self, accounts: Accounts, user_id: str) -> None:
        self._accounts, self._user_id = accounts, user_id
        self._problem: Message | None = None
        self._done = ""

    def change(self, form: Mapping[str, str], address: str, language: Language) -> str:
        """Do what the form asks for; returns the token of a new session if the old one has ended, else "".

        Shows errors.
        """

        def show(problem: Message) -> None:
            self._problem = problem

        token = ""
        with errors_shown(show):
            if form.get("do") == "password":
                token = self._accounts.change_password(self._user_id, form.get("old", ""), form.get("new", ""), address)
                self._done = say(language, "password_changed")
            else:
                self._manage(form, language)
        return token

    def _manage(self, form: Mapping[str, str], language: Language) -> None:
        """Add, change or remove a user. Raises AskError."""
        require(self._accounts.role(self._user_id), Right.MANAGE)
        name = form.get("name", "")
        match form.get("do"):
            case "add":
                added = self._accounts.add_user(name, form.get("new", ""), _role(form))
                self._done = say(language, "user_added", name=added)
            case "role":
                self._refuse_own(name)
                self._accounts.set_role(name, _role(form))
                word = say(language, ROLE_WORDS[_role(form)][0])
                self._done = say(language, "user_changed", name=name, role=word)
            case "remove":
                self._refuse_own(name)
                self._accounts.remove_user(name)
                self._done = say(language, "user_removed", name=name)

    def _refuse_own(self, name: str) -> None:
        """Raises SettingRefused for one's own account, so that an administrator is always left."""
        if self._accounts.id_of(name) == self._user_id:
            raise SettingRefused("You cannot change your own role or remove yourself: another administrator can.")

    def shown(self, language: Language) -> HTMLResponse:
        """The page. Raises StoreError."""
        role = self._accounts.role(self._user_id)
        manages = role.may(Right.MANAGE)
        html = account_html(
            language,
            name=self._accounts.name_of(self._user_id),
            role=role,
            own_password=self._accounts.is_stored(self._user_id),
            users=self._accounts.users() if manages else None,
            quick=self._accounts.has_quick_users,
            problem=self._problem,
            done=self._done,
        )
        return HTMLResponse(html, 200 if self._problem is None else 400)


def _role(form: Mapping[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError as error:
        raise SettingRefused("A role is one of: administrator, editor, reader.") from error


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; the guard has limited the length of the body."""
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=20)) if body.count("&") < 20 else {}


def _place(to: str) -> str:
    """Where to go after a login, if that is a place on this server."""
    return to if _PLACE.match(to) else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _is_program(request: Request) -> bool:
    return "text/html" not in request.headers.get("accept", "")


def _tokens(request: Request) -> list[str]:
    names = (f"{kind}-{request.app.cookie_id}" for kind in (_SECURE, _PLAIN))
    return [request.cookies[name] for name in names if name in request.cookies]


def _left(request: Request) -> Response:
    """Back to the login page, with the cookies removed."""
    response = RedirectResponse("./", 303)
    for kind in (_SECURE, _PLAIN):
        response.delete_cookie(f"{kind}-{request.app.cookie_id}")
    return response
