"""A fake OpenAI-compatible embeddings endpoint: it records what it is asked and fails as told."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Model:
    """Its vectors tell words apart: each word of a text adds one to a dimension."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.failures: list[web.Response] = []

    def vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in text.lower().split():
            vector[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        return vector

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        if self.failures:
            return self.failures.pop(0)
        found = [{"index": n, "embedding": self.vector(text)} for n, text in enumerate(self.asked[-1]["input"])]
        return web.json_response({"object": "list", "data": found[::-1]})


@asynccontextmanager
async def embedding_model(*, dimensions: int = 64) -> AsyncGenerator[Model]:
    model = Model(dimensions)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/embeddings", model.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield model
    await runner.cleanup()
