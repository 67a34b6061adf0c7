"""Fine-tunes by the SDKs, which begin and follow what was made over HTTP: they can't make one themselves."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.dialects import sdk
from tests.dialects.sdk import SdkError
from tests.support.engine import Client, Engine
from tests.support.finetuning import Endpoint, finetuning
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

NOBODY = "01a20000-0000-7000-8000-00000000dead"


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint() -> AsyncIterator[Endpoint]:
    async with finetuning() as endpoint:
        # At once: an engine asks how a job stands every 15 seconds.
        endpoint.steps = ["succeeded"]
        yield endpoint


async def made(client: Client, endpoint: Endpoint) -> str:
    app = await client.post("/v1/apps", {"name": "Shop"})
    own = {"llm": "base", "provider": "Own", "key": endpoint.key, "url": endpoint.url}
    model = await client.post("/v1/models", own)
    asked = {"name": "Answer", "prompt": "{{q}}", "app": app["guid"], "model": model["guid"]}
    action = await client.post("/v1/actions/create", asked)
    point = await client.post("/v1/data", {"action": action["guid"], "input": "Why?", "output": "Because."})
    dataset = await client.post("/v1/datasets", {"name": "Golden", "data": [point["guid"]]})
    finetune = await client.post("/v1/finetune", {"name": "Mine", "dataset": dataset["guid"]})
    assert (finetune["status"], finetune["datasetId"]) == ("created", dataset["guid"])
    address, headers = f"{client.url}/v1/datasets/{dataset['guid']}/export", {"Authorization": f"Bearer {client.key}"}
    async with client.session.get(address, headers=headers) as answer:
        exported = await answer.text()
    assert exported == '{"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"Because."}]}\n'
    return finetune["guid"]


@pytest.mark.parametrize("version", sdk.PYTHON)
async def test_a_python_sdk_trains_a_model(engine: Engine, endpoint: Endpoint, version: str):
    client = await engine.workspace(f"finetune-{version}")
    guid = await made(client, endpoint)
    async with sdk.python(version, engine.url, client.key) as klu:
        assert (await klu("finetune.get", guid))["name"] == "Mine"
        begun = await klu("finetune.process", guid, "gpt-4o-mini")
        assert (begun["guid"], begun["name"]) == (guid, "Mine")

        async def trained():
            told = await klu("finetune.read_status", guid)
            return told if told["status"] == "succeeded" else None

        told = await eventually(trained)
        assert told["openai_finetune_name"] == "ft:gpt-4o-mini:org:mine:1"
        assert told["openai_finetune_name"] in {one["llm"] for one in await klu("models.list")}
        assert (await klu("finetune.update", guid, name="Ours"))["name"] == "Ours"
        assert (await klu("finetune.delete", guid))["guid"] == guid
        with pytest.raises(SdkError, match="FinetuneNotFoundError"):
            await klu("finetune.read_status", guid)
        with pytest.raises(SdkError, match="FinetuneNotFoundError"):
            await klu("finetune.process", NOBODY, "gpt-4o-mini")


async def test_the_javascript_sdk_trains_a_model(engine: Engine, endpoint: Endpoint):
    client = await engine.workspace("finetune-js")
    guid = await made(client, endpoint)
    async with sdk.javascript(engine.url, client.key) as klu:
        begun = await klu("fineTune.process", guid, "gpt-4o-mini")
        assert (begun["guid"], begun["baseModel"]) == (guid, "gpt-4o-mini")

        async def trained():
            told = await klu("fineTune.readStatus", guid)
            return told if told["status"] == "succeeded" else None

        assert (await eventually(trained))["openaiFineTuneName"] == "ft:gpt-4o-mini:org:mine:1"
        assert (await klu("fineTune.update", guid, {"openaiFineTuneName": "ft:mine"}))[
            "openaiFineTuneName"
        ] == "ft:mine"
        assert (await klu("fineTune.get", guid))["datasetId"]
        assert (await klu("fineTune.delete", guid))["guid"] == guid
        with pytest.raises(SdkError, match="FineTuneNotFoundError"):
            await klu("fineTune.process", NOBODY, "gpt-4o-mini")
