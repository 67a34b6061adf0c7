"""What nouns have in common: they are made, listed, asked for by guid, changed and deleted, and told of alike.

The rule: only what is word for word the same is here. A filter, a second question or another answer makes a route of
its own.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from aiohttp import web

from libs.contracts.paging import Page
from libs.contracts.subjects import Rpc
from services.gateway.dialects.klu.routes import lists
from services.gateway.directory.callers import Caller
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

Asked = TypeVar("Asked")
Wanted = TypeVar("Wanted")
Body = TypeVar("Body")
T = TypeVar("T")
Render = Callable[[T], Any]

_SECONDS = 10.0


class Noun(Generic[Asked, T]):
    """The routes of one noun at `path`. `asked` is the type of the question after one of them, `render` tells it."""

    def __init__(self, routes: web.RouteTableDef, path: str, name: str, asked: type[Asked], render: Render[T]) -> None:
        self._routes, self._path, self._one = routes, path, f"{path}/{{guid}}"
        self._name, self._asked, self._render = name, asked, render

    def of(self, request: web.Request) -> Asked:
        """The question after the one whose guid is in the path: all of them hold the workspace and the id."""
        return self._asked(request[CALLER].workspace_id, params.in_path(request, self._name))  # pyright: ignore[reportCallIssue]

    async def told(
        self, request: web.Request, rpc: Rpc[Wanted, T], wanted: Wanted, *, timeout: float = _SECONDS
    ) -> web.Response:
        return reply.json(self._render(await ask(request, rpc, wanted, timeout=timeout)))

    def gets(self, rpc: Rpc[Asked, T]) -> None:
        async def get(request: web.Request) -> web.Response:
            return await self.told(request, rpc, self.of(request))

        self._routes.get(self._one)(get)

    def deletes(self, rpc: Rpc[Asked, T], *, render: Render[T] | None = None, timeout: float = _SECONDS) -> None:
        """It is told as it was, by `render` where that differs."""

        async def delete(request: web.Request) -> web.Response:
            gone = await ask(request, rpc, self.of(request), timeout=timeout)
            return reply.json((render or self._render)(gone))

        self._routes.delete(self._one)(delete)

    def pages(self, rpc: Rpc[Any, Page[T]]) -> None:
        """A page of them, in an envelope."""

        async def page(request: web.Request) -> web.Response:
            slice = paging.slice_of(request)
            wanted = rpc.request(request[CALLER].workspace_id, slice=slice)
            return lists.envelope(await ask(request, rpc, wanted), slice, self._render)

        self._routes.get(self._path)(page)

    def lists(self, rpc: Rpc[Any, Page[T]]) -> None:
        """All of them, bare."""

        async def list_all(request: web.Request) -> web.StreamResponse:
            return await lists.bare(request, paging.of(request, rpc), self._render)

        self._routes.get(self._path)(list_all)

    def creates(
        self,
        rpc: Rpc[Wanted, T],
        body: type[Body],
        translate: Callable[[Caller, Body], Wanted],
        *,
        timeout: float = _SECONDS,
    ) -> None:
        async def create(request: web.Request) -> web.Response:
            wanted = translate(request[CALLER], await read(request, body))
            return await self.told(request, rpc, wanted, timeout=timeout)

        self._routes.post(self._path)(create)

    def updates(self, rpc: Rpc[Wanted, T], body: type[Body], translate: Callable[[Asked, Body], Wanted]) -> None:
        async def update(request: web.Request) -> web.Response:
            return await self.told(request, rpc, translate(self.of(request), await read(request, body)))

        self._routes.put(self._one)(update)
