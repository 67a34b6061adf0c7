"""Data points as pages put them together: one question for the runs, one for what was said of them."""

import asyncio
from collections.abc import Awaitable
from uuid import UUID

from aiohttp import web

from libs.contracts import feedback, runs
from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klu import translate, wire
from services.gateway.engine import ask
from services.gateway.http import paging
from services.gateway.http.voices import CALLER


async def one(request: web.Request, asked: runs.GetRun) -> wire.data.DataPoint:
    run, said = await asyncio.gather(
        ask(request, runs.GET, asked),
        ask(request, feedback.OF, feedback.FeedbackOf(asked.workspace_id, [asked.run_id])),
    )
    return translate.data.reply(run, said)


def of(request: web.Request, **narrowed: UUID) -> paging.Part[wire.data.DataPoint]:
    """Those of an action, an app or a dataset, for a list of them."""

    def part(slice: Slice) -> Awaitable[Page[wire.data.DataPoint]]:
        return listed(request, runs.PageRuns(request[CALLER].workspace_id, slice=slice, **narrowed))

    return part


def itself(point: wire.data.DataPoint) -> wire.data.DataPoint:
    """Points are put together page by page, rendered as they are listed."""
    return point


async def listed(request: web.Request, wanted: runs.PageRuns) -> Page[wire.data.DataPoint]:
    page = await ask(request, runs.PAGE, wanted)
    of = feedback.FeedbackOf(wanted.workspace_id, [run.id for run in page.items])
    said = translate.data.by_run(await ask(request, feedback.OF, of) if page.items else [])
    return Page([translate.data.reply(run, said.get(run.id, [])) for run in page.items], page.total)
