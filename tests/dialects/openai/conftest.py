"""The whole engine, for the clients that ask it, with an action and a provider's model in a workspace."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from openai import AsyncOpenAI

from tests.support.engine import Client, Engine
from tests.support.engine import engine as started
from tests.support.servers import Databases


@dataclass
class Made:
    client: Client
    openai: AsyncOpenAI
    app: str
    action: str
    model: str = "Own/vendor/large"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(nats_url: str, databases: Databases, tmp_path_factory: Any) -> AsyncGenerator[Engine]:
    async with started(nats_url, databases, tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(engine: Engine) -> AsyncGenerator[Made]:
    client = await engine.workspace("openai")
    app = (await client.post("/v1/apps", {"name": "Support"}))["guid"]
    own = {"llm": "vendor/large", "provider": "Own", "key": "sk-1234567890abcdef", "url": engine.upstream.openai_url}
    model = await client.post("/v1/models", own)
    action = await client.post(
        "/v1/actions/create",
        {
            "name": "Answer",
            "prompt": "Answer: {{q}}",
            "system_message": "Be brief.",
            "app": app,
            "model_id": model["guid"],
        },
    )
    async with AsyncOpenAI(base_url=f"{engine.url}/openai/v1", api_key=client.key, max_retries=0) as openai:
        yield Made(client, openai, app, action["guid"])
