"""The floor of our shape: aiohttp → NATS → worker → upstream, with nothing useful in it.

`python -m bench.chain front PORT NATS` or `python -m bench.chain worker UPSTREAM NATS`.
"""

import asyncio
import sys

import nats
import uvloop
from aiohttp import ClientSession, TCPConnector, web
from nats.aio.msg import Msg


async def front(port: int, url: str) -> None:
    bus = await nats.connect(url)

    async def forward(request: web.Request) -> web.StreamResponse:
        inbox, pieces = bus.new_inbox(), asyncio.Queue[bytes]()

        async def take(message: Msg) -> None:
            pieces.put_nowait(message.data)

        subscription = await bus.subscribe(inbox, cb=take)
        await bus.publish("chain", await request.read(), reply=inbox)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while piece := await pieces.get():
            await response.write(piece)
        await subscription.unsubscribe()
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", forward)
    await web._run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


async def worker(upstream: str, url: str) -> None:
    bus = await nats.connect(url)
    running: set[asyncio.Task[None]] = set()
    async with ClientSession(upstream, connector=TCPConnector(limit=0)) as session:

        async def run(message: Msg) -> None:
            async with session.post("/v1/chat/completions", data=message.data) as answer:
                async for piece in answer.content.iter_any():
                    await bus.publish(message.reply, piece)
            await bus.publish(message.reply, b"")

        async def accept(message: Msg) -> None:
            task = asyncio.get_running_loop().create_task(run(message))
            running.add(task)
            task.add_done_callback(running.discard)

        await bus.subscribe("chain", queue="workers", cb=accept)
        await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "front":
        uvloop.run(front(int(sys.argv[2]), sys.argv[3]))
    else:
        uvloop.run(worker(sys.argv[2], sys.argv[3]))
