"""Analytics: figures that feedback counts, beside what the plan allows."""

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from libs.contracts import analytics
from libs.contracts.limits import Kind
from services.gateway.dialects.klairo import translate
from services.gateway.engine import ENGINE, ask
from services.gateway.http import reply
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/analytics")
@routes.get("/v1/analytics")
async def get_analytics(request: web.Request) -> web.Response:
    caller, today = request[CALLER], datetime.now(UTC).date()
    wanted = translate.analytics.asked(request.query, today)
    engine = request.app[ENGINE]
    terms = await engine.plans.of(caller.workspace_id)
    translate.analytics.refuse_without(terms)
    counted, used_today = await asyncio.gather(
        ask(request, analytics.OF, analytics.AnalyticsOf(caller.workspace_id, wanted.first, wanted.last)),
        engine.limits.used(caller.workspace_id, Kind.CHAT_MESSAGES),
    )
    return reply.json(translate.analytics.reply(wanted, counted, terms, today=today, used=used_today))
