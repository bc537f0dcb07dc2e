"""The page for shared collections: GET /collections, and its forms."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rag.errors import CollectionRefused
from rag.messages import Message
from webui.accounts.accounts import Accounts
from webui.accounts.roles import Right, require
from webui.edge import errors_shown, number_in
from webui.engine import Engine
from webui.server.login import form_of
from webui.server.upload import owner_of
from webui.strings import Language, language_of, say
from webui.views.collections import collections_html


def collection_routes(engine: Engine, accounts: Accounts) -> list[Route]:
    """The routes; a server without logins has none."""

    async def show(request: Request) -> Response:
        if not (person := owner_of(request)):
            return RedirectResponse("./", 303)
        return await run_in_threadpool(_CollectionsPage(engine, accounts, person).shown, language_of(request))

    async def change(request: Request) -> Response:
        if not (person := owner_of(request)):
            return RedirectResponse("./", 303)
        page, language, form = _CollectionsPage(engine, accounts, person), language_of(request), await form_of(request)
        await run_in_threadpool(page.change, form, language)
        return await run_in_threadpool(page.shown, language)

    return [Route("/collections", show), Route("/collections", change, methods=["POST"])]


class _CollectionsPage:
    """The page for collections, for one request."""

    def __init__(self, engine: Engine, accounts: Accounts, person: str) -> None:
        self._collections, self._accounts, self._person = engine.collections, accounts, person
        self._role = accounts.role(person)
        self._problem: Message | None = None
        self._done = ""

    def change(self, form: Mapping[str, str], language: Language) -> None:
        """Do what the form asks for. Errors are shown on the page."""

        def show(problem: Message) -> None:
            self._problem = problem

        with errors_shown(show):
            leaves = form.get("do") == "revoke" and form.get("person") == self._person
            if not leaves:
                require(self._role, Right.ADD)
            self._done = self._do(form, language)

    def _do(self, form: Mapping[str, str], language: Language) -> str:
        """Do what the form asks for; returns the sentence to show. Raises AskError."""
        number, title, administrator = number_in(form.get("collection", "")), form.get("title", ""), self._administrator
        match form.get("do"):
            case "create":
                self._collections.create(self._person, title)
                return say(language, "collection_made", name=" ".join(title.split()))
            case "rename":
                self._collections.rename(self._person, number, title, administrator=administrator)
                return say(language, "collection_renamed", name=" ".join(title.split()))
            case "delete":
                self._collections.delete(self._person, number, administrator=administrator)
                return say(language, "collection_deleted")
            case "grant":
                name, editor = form.get("name", "").strip(), form.get("role") == "editor"
                to = self._accounts.id_of(name)
                if to is None:
                    raise CollectionRefused("There is no user {name}: check the name.", name=name)
                self._collections.grant(self._person, number, to, editor=editor, administrator=administrator)
                return say(language, "collection_shared", name=name)
            case "revoke":
                of = form.get("person", "")
                self._collections.revoke(self._person, number, of, administrator=administrator)
                return say(language, "collection_unshared", name=self._accounts.name_of(of))
        return ""

    @property
    def _administrator(self) -> bool:
        return self._role.may(Right.MANAGE)

    def shown(self, language: Language) -> HTMLResponse:
        """The page. Raises StoreError."""
        html = collections_html(
            language,
            self._collections.of(self._person, administrator=self._administrator),
            person=self._person,
            name_of=self._accounts.name_of,
            shares=self._role.may(Right.ADD),
            administrator=self._administrator,
            problem=self._problem,
            done=self._done,
        )
        return HTMLResponse(html, 200 if self._problem is None else 400)
