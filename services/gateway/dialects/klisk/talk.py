"""One socket's conversation: messages are answered one after the other, each seeing what the ones before it said.

Each is a request of its caller's, which limits count.

The rule: everything keeps its order but `cancel`, which ends the answer that is under way.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Struct

from libs.contracts import runs
from libs.contracts.faults import Code, Fault
from services.gateway import running
from services.gateway.dialects.klisk import conversing, translate, wire
from services.gateway.dialects.klisk.translate.events import Telling
from services.gateway.engine import ENGINE, ask
from services.gateway.http import body, limiting, params
from services.gateway.http.aside import aside
from services.gateway.http.sockets import Socket
from services.gateway.http.voices import CALLER

_MOST_WAITING = 32


class _Said(Struct, frozen=True):
    """A message that waits for its answer, and how many bytes it came in."""

    message: wire.SocketMessage
    size: int


class Talk:
    """`latest` is the response that the next message goes on from, `agent` who gave it."""

    def __init__(self, request: web.Request, socket: Socket) -> None:
        self._request, self._socket = request, socket
        self._room = request.app[ENGINE].room
        self._waiting: asyncio.Queue[_Said] = asyncio.Queue(_MOST_WAITING)
        self._latest: UUID | None = None
        self._agent = ""
        self._answering: Answering | None = None

    async def run(self) -> None:
        """Until either end closes the socket."""
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(self._answer_all())
            await self._listen()
            answering.cancel()

    async def _listen(self) -> None:
        async for frame in self._socket.response:
            if frame.type is WSMsgType.BINARY:
                await self._socket.close(WSCloseCode.UNSUPPORTED_DATA)
            elif frame.type is WSMsgType.TEXT:
                try:
                    await self._take(frame.data.encode())
                except Fault as fault:
                    await self._tell(translate.events.failed(fault))

    async def _take(self, frame: bytes) -> None:
        message = await aside(len(frame), lambda: body.decode(frame, wire.SocketMessage))
        match message.type:
            case "cancel":
                await self._cancel()
            case None | "clear" | "restore":
                self._put(_Said(message, len(frame)))
            case other:
                raise Fault(Code.INVALID, f"There is no {params.shown(other)!r} here.", field="type")

    def _put(self, said: _Said) -> None:
        """Raises Fault RATE_LIMITED, UNAVAILABLE."""
        if self._waiting.full():
            raise Fault(Code.RATE_LIMITED, f"{_MOST_WAITING} messages wait for their answers: wait, too.")
        self._room.hold(self._request, said.size)
        self._waiting.put_nowait(said)

    async def _cancel(self) -> None:
        if self._answering is not None:
            await self._answering.cancel()

    async def _answer_all(self) -> None:
        while True:
            said = await self._waiting.get()
            try:
                await self._heed(said.message)
            except Fault as fault:
                await self._tell(translate.events.failed(fault))
            finally:
                self._room.let_go(self._request, said.size)

    async def _heed(self, message: wire.SocketMessage) -> None:
        match message.type:
            case "clear":
                self._latest, self._agent = None, ""
            case "restore":
                self._latest = translate.chat.response(message.previous_response_id)
            case _:
                await self._answer(message)

    async def _answer(self, message: wire.SocketMessage) -> None:
        asked = translate.chat.said(message, self._agent, self._latest)
        await limiting.admit(self._request, self._request[CALLER])
        ready = await conversing.ready(self._request, asked, runs.Mode.STREAMING)
        answering = self._answering = Answering(self._request, ready.start)
        try:
            async with aclosing(answering.events()) as events:
                async for event in events:
                    await self._tell(event)
                    if isinstance(event, wire.Done):
                        self._latest, self._agent = answering.run_id, ready.agent
        finally:
            self._answering = None

    async def _tell(self, event: wire.Event) -> None:
        await self._socket.write(translate.events.frame(event))


class Answering:
    """One run, from its start to its end."""

    def __init__(self, request: web.Request, start: runs.StartRun) -> None:
        self._request, self._start = request, start
        self._accepted = self._cancelled = False
        self.run_id = start.run_id

    async def events(self) -> AsyncGenerator[wire.Event]:
        _, frames = await running.follow(self._request, self._start)
        telling = Telling(self.run_id)
        async with aclosing(frames):
            await self._accept()
            async for frame in frames:
                for event in telling.events(frame):
                    yield event

    async def _accept(self) -> None:
        self._accepted = True
        if self._cancelled:
            await self.cancel()

    async def cancel(self) -> None:
        """Before the run was accepted there is none to cancel: done as soon as it is."""
        self._cancelled = True
        if self._accepted:
            asked = runs.GetRun(self._request[CALLER].workspace_id, self.run_id)
            await ask(self._request, runs.CANCEL, asked)
