"""The floor of one hop: a bare aiohttp reverse proxy, with nothing useful in it."""

import sys

import uvloop
from aiohttp import ClientSession, TCPConnector, web


async def main(port: int, upstream: str) -> None:
    async with ClientSession(upstream, connector=TCPConnector(limit=0)) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            async with session.post(request.path, data=await request.read()) as answer:
                response = web.StreamResponse(headers={"Content-Type": answer.content_type})
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                return response

        app = web.Application()
        app.router.add_post("/{path:.*}", forward)
        await web._run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
