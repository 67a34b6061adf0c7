"""Reranking: a model's order over what was found, and the fusion's own where the model doesn't give one."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from libs.egress import Egress
from libs.runtime.service import Service
from services.retrieval.reranking import Reranker
from tests.services.retrieval.conftest import Library
from tests.support.reranking import Model, rerank_model
from tests.support.services import running

pytestmark = pytest.mark.asyncio

TEXTS = ["A red boat.", "The old lighthouse keeper sleeps.", "A keeper of bees."]
QUESTION = "the old lighthouse keeper"
BEST_FIRST = [1, 2, 0]
AS_THEY_CAME = [0, 1, 2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_model() -> AsyncGenerator[Model]:
    async with rerank_model() as model:
        yield model


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def retrieval(nats_url: str, databases: Any, folder: Path, shared_model: Model) -> AsyncGenerator[Service]:
    told = {"rerank_url": shared_model.url, "rerank_model": "rank-1", "rerank_key": "secret", "rerank_seconds": 15.0}
    async with running("retrieval", nats_url, databases, vectors_url=f"embedded://{folder}", **told) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def model() -> AsyncGenerator[Model]:
    async with rerank_model() as model:
        yield model


@pytest_asyncio.fixture(loop_scope="session")
async def reranker(model: Model) -> AsyncIterator[Reranker]:
    """One that is asked again at once after a failure."""
    reranker = Reranker(Egress(""), url=model.url, model="rank-1", key="secret", seconds=30, rest=0)
    yield reranker
    await reranker.close()


async def test_a_search_gives_passages_in_the_model_s_order(library: Library, shared_model: Model) -> None:
    boats = {name: f"The boat {name} fishes for herring." for name in ("Maria", "Olga", "Vera")}
    for name, text in boats.items():
        await library.indexed(await library.add(text, name))
    question = "The boat Maria or Vera fishes. for herring. vera"
    found = await library.search(question, limit=1)
    asked = shared_model.asked[-1]
    assert (asked["model"], asked["query"], set(asked["documents"])) == ("rank-1", question, set(boats.values()))
    assert shared_model.keys[-1] == "Bearer secret"
    assert [passage.name for passage in found] == ["Vera"]


async def test_a_search_goes_on_without_its_model(library: Library, shared_model: Model) -> None:
    for name in ("Maria", "Olga"):
        await library.indexed(await library.add(f"The boat {name} fishes for herring.", name))
    shared_model.failures = [web.Response(status=500)]
    found = await library.search("Does Olga fish?", limit=2)
    assert [passage.name for passage in found] == ["Olga", "Maria"]
    assert not shared_model.failures


@pytest.mark.parametrize("field", ["results", "data"])
async def test_the_best_come_first_whatever_the_answer_calls_them(model: Model, reranker: Reranker, field: str) -> None:
    model.field = field
    assert await reranker.order(QUESTION, TEXTS) == BEST_FIRST


async def test_texts_that_the_model_leaves_out_come_last(model: Model, reranker: Reranker) -> None:
    model.failures = [web.json_response({"results": [{"index": 2, "relevance_score": 0.9}]})]
    assert await reranker.order(QUESTION, TEXTS) == [2, 0, 1]


@pytest.mark.parametrize(
    "failure",
    [
        web.Response(status=429),
        web.Response(text="<html>"),
        web.json_response({"message": "what?"}),
        web.json_response({"results": [{"index": 7, "relevance_score": 0.9}]}),
        web.json_response({"results": [{"index": -1, "relevance_score": 0.9}]}),
        web.Response(body=b" " * (2 << 20)),
    ],
)
async def test_an_answer_that_is_no_order_leaves_them_as_they_came(
    model: Model, reranker: Reranker, failure: web.Response
) -> None:
    model.failures = [failure]
    assert await reranker.order(QUESTION, TEXTS) == AS_THEY_CAME
    assert await reranker.order(QUESTION, TEXTS) == BEST_FIRST


async def test_a_model_that_takes_too_long_is_not_waited_for(model: Model) -> None:
    reranker = Reranker(Egress(""), url=model.url, model="rank-1", seconds=0.5)
    model.pause = 60
    async with asyncio.timeout(30):
        assert await reranker.order(QUESTION, TEXTS) == AS_THEY_CAME
    await reranker.close()


async def test_failures_are_logged_once_until_it_answers_again(
    model: Model, reranker: Reranker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "services.retrieval.reranking")
    logged = []
    for failures in (3, 0, 1):
        model.failures = [web.Response(status=500) for _ in range(failures)]
        for _ in range(max(1, failures)):
            await reranker.order(QUESTION, TEXTS)
        logged.append(len(caplog.records))
    assert logged == [1, 1, 2]


async def test_a_model_that_failed_rests(model: Model) -> None:
    reranker = Reranker(Egress(""), url=model.url, model="rank-1", seconds=30, rest=3600)
    model.failures = [web.Response(status=500)]
    assert [await reranker.order(QUESTION, TEXTS) for _ in range(3)] == [AS_THEY_CAME] * 3
    assert len(model.asked) == 1
    await reranker.close()
