"""Uploads: an address to send a file to, which then names the file for a context."""

from aiohttp import web

from libs.contracts import files
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.auth import PREFIX
from services.gateway.engine import ENGINE, ask
from services.gateway.http import links, reply, uploads
from services.gateway.http.body import read
from services.gateway.http.fields import called
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()
open_routes = web.RouteTableDef()

_PATH = "/v1/uploads/"


@routes.post("/v1/context/presign")
@routes.post("/v1/contexts/presign")
async def presign(request: web.Request) -> web.Response:
    body = await read(request, wire.contexts.Presign)
    with called(name="file_name"):
        upload = await ask(request, files.BEGIN, files.BeginUpload(request[CALLER].workspace_id, body.file_name))
    url = f"{links.base(request, PREFIX)}{_PATH}{uploads.sealed(request.app[ENGINE].sealer, upload)}"
    return reply.json(wire.contexts.Presigned(url=url, fields={}, object_url=url))


@open_routes.post("/v1/uploads/{token}")
async def upload(request: web.Request) -> web.Response:
    return await uploads.receive(request, uploads.opened(request.app[ENGINE].sealer, request.match_info["token"]))


def resolved(request: web.Request, urls: list[str]) -> list[str]:
    """Addresses of uploads as the blob: URLs that retrieval reads, all others as they are. Raises Fault INVALID."""
    return [_resolved(request, url, place) for place, url in enumerate(urls)]


def _resolved(request: web.Request, url: str, place: int) -> str:
    ours = links.base(request, PREFIX) + _PATH
    _, found, token = url.partition(_PATH)
    if not found:
        return url
    try:
        ticket = uploads.opened(request.app[ENGINE].sealer, token)
    except Fault as fault:
        if not url.startswith(ours):
            return url
        raise Fault(Code.INVALID, fault.message, field=f"files[{place}]") from None
    if ticket.workspace_id != request[CALLER].workspace_id:
        raise Fault(Code.INVALID, "This link is not valid.", field=f"files[{place}]")
    return f"blob:{ticket.upload_id}"
