"""Chatting over a WebSocket."""

from aiohttp import WSCloseCode, web

from libs.contracts.faults import Code, Fault
from libs.runtime import logs
from services.gateway.dialects.klisk import auth, translate, wire
from services.gateway.dialects.klisk.talk import Talk
from services.gateway.engine import ENGINE
from services.gateway.http import limiting, sockets
from services.gateway.http.sockets import Socket
from services.gateway.http.voices import CALLER

open_routes = web.RouteTableDef()

_NO_KEY = 4001


@open_routes.get("/ws/chat", allow_head=False)
async def talk(request: web.Request) -> web.WebSocketResponse:
    async with sockets.opened(request) as socket:
        try:
            caller = request[CALLER] = await auth.caller_of_socket(request)
            await limiting.admit(request, caller)
        except Fault as fault:
            await _turn_away(socket, fault)
            return socket.response
        logs.workspace_id.set(str(caller.workspace_id))
        socket.key_hash = caller.key_hash
        with request.app[ENGINE].streams.holding(socket):
            await Talk(request, socket).run()
    return socket.response


async def _turn_away(socket: Socket, fault: Fault) -> None:
    """A browser is not told why an upgrade was refused: the socket opens first."""
    if fault.code is Code.UNAUTHORIZED:
        await socket.write(translate.events.frame(wire.AuthError(fault.message)))
        await socket.close(_NO_KEY)
    else:
        await socket.write(translate.events.frame(translate.events.failed(fault)))
        await socket.close(WSCloseCode.TRY_AGAIN_LATER)
