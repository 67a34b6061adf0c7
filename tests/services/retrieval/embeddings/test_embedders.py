"""Texts become vectors: in the process, or at an endpoint that may fail now and then."""

import asyncio
import json
import math
import sys
from array import array
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts.faults import Code, Fault
from libs.egress import Egress
from services.retrieval import wordllama
from services.retrieval.embeddings.builtin import BuiltinEmbedder
from services.retrieval.embeddings.remote import RemoteEmbedder
from services.retrieval.vectors import payload
from tests.support.embeddings import Model, embedding_model

pytestmark = pytest.mark.asyncio

TEXTS = ["The lighthouse was built in 1874.", "Ein Satz auf Deutsch.", "word " * 3000, "", "語"]


@pytest_asyncio.fixture
async def model() -> AsyncIterator[Model]:
    async with embedding_model() as model:
        yield model


@pytest_asyncio.fixture
async def remote(model: Model) -> AsyncIterator[RemoteEmbedder]:
    embedder = RemoteEmbedder(Egress(""), url=model.url, model="Text/Embed 3", key="sk-secret")
    yield embedder
    await embedder.close()


async def test_the_built_in_model_is_wordllama() -> None:
    """Against the package itself, in a process of its own: it sets up logging when it is imported."""
    code = f"""
import json, sys
from pathlib import Path
from wordllama import WordLlama
model = WordLlama.load(cache_dir=Path({str(wordllama.folder())!r}), disable_download=True)
print(json.dumps(model.embed({TEXTS!r}).tolist()))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    for vector, expected in zip(await BuiltinEmbedder().embed(TEXTS), json.loads(printed), strict=True):
        assert array("f", vector).tolist() == pytest.approx(expected, abs=1e-5)


async def test_similar_texts_are_near() -> None:
    near, far, question = await BuiltinEmbedder().embed(
        ["The tower by the sea guides ships.", "Add two cups of flour.", "What does the lighthouse do for boats?"]
    )
    assert cosine(question, near) > cosine(question, far) + 0.1


def cosine(one: bytes, other: bytes) -> float:
    a, b = payload.floats(one), payload.floats(other)
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


async def test_a_remote_space_is_named_after_its_model_and_dimensions(remote: RemoteEmbedder) -> None:
    space = await remote.space()
    assert (space.name, space.dimensions) == ("text-embed-3-64", 64)


async def test_many_texts_go_in_batches_and_come_back_in_order(remote: RemoteEmbedder, model: Model) -> None:
    texts = [f"number {n}" for n in range(200)]
    vectors = await remote.embed(texts)
    assert [payload.floats(vector) for vector in vectors] == [model.vector(text) for text in texts]
    assert sorted(len(asked["input"]) for asked in model.asked) == [1, 8, 64, 64, 64]
    assert {asked["model"] for asked in model.asked} == {"Text/Embed 3"}
    assert set(model.keys) == {"Bearer sk-secret"}


async def test_large_answers_are_read_whole() -> None:
    async with embedding_model(dimensions=4096) as model:
        embedder = RemoteEmbedder(Egress(""), url=model.url, model="large")
        assert [len(vector) for vector in await embedder.embed(["text"] * 64)] == [4 * 4096] * 64
        await embedder.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_model_that_is_busy_is_asked_again(remote: RemoteEmbedder, model: Model, status: int) -> None:
    model.failures = [web.Response(status=status, headers={"Retry-After": "0"}) for _ in range(2)]
    assert len(await remote.embed(["text"])) == 1


async def test_a_refusal_is_told_in_the_models_words_without_the_key(remote: RemoteEmbedder, model: Model) -> None:
    model.failures = [web.json_response({"error": {"message": "Wrong key sk-secret."}}, status=401)]
    with pytest.raises(Fault, match=r"401: Wrong key …\.") as raised:
        await remote.embed(["text"])
    assert raised.value.code is Code.UPSTREAM


@pytest.mark.parametrize(
    "body", ["not json", '{"data": []}', '{"data": [{"embedding": []}]}', '{"data": [{"embedding": ["a"]}]}']
)
async def test_an_answer_that_makes_no_sense_is_an_upstream_fault(
    remote: RemoteEmbedder, model: Model, body: str
) -> None:
    await remote.space()
    model.failures = [web.Response(text=body)]
    with pytest.raises(Fault) as raised:
        await remote.embed(["text"])
    assert raised.value.code is Code.UPSTREAM


async def test_a_model_that_is_away_is_an_upstream_fault() -> None:
    embedder = RemoteEmbedder(Egress(""), url="http://127.0.0.1:9/v1", model="m")
    with pytest.raises(Fault) as raised:
        await embedder.embed(["text"])
    assert raised.value.code is Code.UPSTREAM
    await embedder.close()


async def test_a_model_that_changes_its_dimensions_is_noticed(remote: RemoteEmbedder, model: Model) -> None:
    await remote.embed(["text"])
    model.dimensions = 32
    with pytest.raises(Fault, match="dimensions"):
        await remote.embed(["text"])
