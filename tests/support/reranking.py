"""A fake rerank endpoint of Cohere's shape: it counts shared words, records what it is asked and fails as told."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Model:
    """`field` is where its results stand."""

    def __init__(self) -> None:
        self.url = ""
        self.field = "results"
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.failures: list[web.Response] = []
        self.pause = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked.append(asked)
        self.keys.append(request.headers.get("Authorization", ""))
        await asyncio.sleep(self.pause)
        if self.failures:
            return self.failures.pop(0)
        scores = [len(_words(asked["query"]) & _words(text)) / 100 for text in asked["documents"]]
        found = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
        found.sort(key=lambda each: each["relevance_score"], reverse=True)
        return web.json_response({"id": "r", "model": asked["model"], self.field: found[: asked["top_n"]]})


def _words(text: str) -> set[str]:
    return set(text.lower().split())


@asynccontextmanager
async def rerank_model() -> AsyncGenerator[Model]:
    model = Model()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v2/rerank", model.answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
    yield model
    await runner.cleanup()
