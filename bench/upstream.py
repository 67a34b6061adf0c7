"""A chat-completions endpoint that costs next to nothing: what the engine and the bare chains are measured against.

The model's name says what it answers: `bench-<tokens>-<tokens per second>`, where 0 per second means all at once. Every
token is the monotonic time of its sending in nanoseconds, so that a reader knows how long it was on its way.
"""

import asyncio
import json
import time
from typing import cast

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = b'data: {"id":"b","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":%d}}\n\ndata: [DONE]\n\n'
STOP = b'data: {"id":"b","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def token() -> bytes:
    return b'data: {"id":"b","choices":[{"index":0,"delta":{"content":"%d "}}]}\n\n' % time.monotonic_ns()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


class Connection(asyncio.Protocol):
    """Reads one request after the other from a kept-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.received = b""
        self.stream: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream:
            self.stream.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.received = body[length:]
            self.answer(json.loads(body[:length])["model"])

    def answer(self, model: str) -> None:
        count, per_second = map(int, model.split("-")[1:])
        if per_second:
            self.stream = asyncio.get_running_loop().create_task(self.paced(count, per_second))
        else:
            tokens = b"".join(token() for _ in range(count))
            self.transport.write(HEAD + chunked(tokens + STOP + USAGE % count) + b"0\r\n\r\n")

    async def paced(self, count: int, per_second: int) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.transport.write(HEAD)
        for n in range(count):
            await asyncio.sleep(began + n / per_second - loop.time())
            self.transport.write(chunked(token()))
        self.transport.write(chunked(STOP + USAGE % count) + b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import sys

    uvloop.run(main(int(sys.argv[1])))
