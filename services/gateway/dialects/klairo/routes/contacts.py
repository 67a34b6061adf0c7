"""Contacts: the gateway's own, so that nobody else is asked."""

from typing import Any
from uuid import UUID

from aiohttp import web

from services.gateway.contacts import book, store, words
from services.gateway.contacts.changes import Change
from services.gateway.contacts.store import Sought
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.routes import slices
from services.gateway.engine import ENGINE
from services.gateway.http import effect, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/contacts")
@routes.get("/v1/contacts")
async def get_contacts(request: web.Request) -> web.Response:
    slice = slices.asked(request)
    sought = Sought(words.sought(params.line(request, "search") or ""), params.line(request, "tag"))
    page = await store.page(request.app[ENGINE].database, request[CALLER].workspace_id, slice, sought)
    return reply.json(translate.contacts.contacts(page, slice))


@routes.post("/api/contacts")
@routes.post("/v1/contacts")
async def post_contact(request: web.Request) -> web.Response:
    wanted = effect.named(request, translate.contacts.create(request[CALLER], await _change(request)))
    made = await book.create(request.app[ENGINE].database, wanted)
    return reply.json(translate.contacts.contact(made), status=201)


@routes.get("/api/contacts/{id}")
@routes.get("/v1/contacts/{id}")
async def get_contact(request: web.Request) -> web.Response:
    return reply.json(translate.contacts.contact(await book.get(request.app[ENGINE].database, *_named(request))))


@routes.patch("/api/contacts/{id}")
@routes.patch("/v1/contacts/{id}")
async def patch_contact(request: web.Request) -> web.Response:
    change = await _change(request)
    changed = await book.update(request.app[ENGINE].database, *_named(request), change.over)
    return reply.json(translate.contacts.contact(changed))


@routes.delete("/api/contacts/{id}")
@routes.delete("/v1/contacts/{id}")
async def delete_contact(request: web.Request) -> web.Response:
    await book.delete(request.app[ENGINE].database, *_named(request))
    return reply.nothing()


async def _change(request: web.Request) -> Change:
    fields = await read(request, wire.contacts.GivenContact)
    return translate.contacts.change(fields, await read(request, dict[str, Any]))


def _named(request: web.Request) -> tuple[UUID, UUID]:
    return request[CALLER].workspace_id, params.in_path(request, "contact", name="id")
