"""What nouns have in common: one is asked for by its guid, or deleted, and is the answer; all are listed in pages.

The rule: only what is word for word the same is here. A body, a filter or a second question makes a route of its own.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from aiohttp import web

from libs.contracts.paging import Page
from libs.contracts.subjects import Rpc
from services.gateway.dialects.klu.routes import lists
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.voices import CALLER

Asked = TypeVar("Asked")
T = TypeVar("T")
Render = Callable[[T], Any]


def asked(request: web.Request, of: type[Asked], noun: str) -> Asked:
    """The question after the one whose guid is in the path: all of them hold the workspace and the id."""
    return of(request[CALLER].workspace_id, params.in_path(request, noun))  # pyright: ignore[reportCallIssue]


def answering(rpc: Rpc[Asked, T], noun: str, render: Render[T]) -> Callable[[web.Request], Any]:
    """A handler: the answer to `rpc` about the one in the path."""

    async def answer(request: web.Request) -> web.Response:
        return reply.json(render(await ask(request, rpc, asked(request, rpc.request, noun))))

    return answer


def one(
    routes: web.RouteTableDef,
    path: str,
    noun: str,
    render: Render[T],
    *,
    get: Rpc[Any, T],
    delete: Rpc[Any, T] | None = None,
    deleted: Render[T] | None = None,
) -> None:
    """`GET` and `DELETE` of the one at `path`; what is deleted is told as it was, by `deleted` where that differs."""
    routes.get(path)(answering(get, noun, render))
    if delete is not None:
        routes.delete(path)(answering(delete, noun, deleted or render))


def paged(routes: web.RouteTableDef, path: str, page: Rpc[Any, Page[T]], render: Render[T]) -> None:
    """`GET` of the list at `path`, in an envelope."""

    async def answer(request: web.Request) -> web.Response:
        slice = paging.slice_of(request)
        return lists.envelope(
            await ask(request, page, page.request(request[CALLER].workspace_id, slice=slice)), slice, render
        )

    routes.get(path)(answer)
