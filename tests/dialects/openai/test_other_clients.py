"""OpenAI's JavaScript package and LangChain's, unchanged, against the whole engine."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.dialects import sdk
from tests.dialects.sdk import Sdk, SdkError
from tests.support.provider import Answer, Call, calling

pytestmark = pytest.mark.asyncio

ASKED = {"model": "Answer", "messages": [{"role": "user", "content": "Why?"}]}
CALL = Call("call_1", "weather", '{"city": "Rome"}')
USED = {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def js(made) -> AsyncIterator[Sdk]:
    async with sdk.openai_javascript(made.client.url, made.client.key) as js:
        yield js


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def langchain(made) -> AsyncIterator[Sdk]:
    async with sdk.langchain(made.client.url, made.client.key) as langchain:
        yield langchain


async def test_the_javascript_package_lists_completes_and_streams(js, made, engine):
    assert "Answer" in [model["id"] for model in await js("models.list")]
    assert (await js("models.retrieve", made.model))["id"] == made.model
    engine.says("Because.")
    assert (await js("chat.completions.create", ASKED))["choices"][0]["message"]["content"] == "Because."
    engine.says("Be", "cause.")
    chunks = await js("chat.completions.create", ASKED | {"stream": True, "stream_options": {"include_usage": True}})
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == "Because."
    assert chunks[-1]["usage"]["total_tokens"] == 17
    with pytest.raises(SdkError, match="NotFoundError: 404"):
        await js("chat.completions.create", ASKED | {"model": "nothing"})


async def test_both_read_how_likely_the_tokens_were(js, langchain, engine):
    engine.upstream.plays(*[Answer(pieces=("Be", "cause"), scored=2)] * 3)
    wanted = ASKED | {"logprobs": True, "top_logprobs": 1}
    whole = await js("chat.completions.create", wanted)
    chunks = await js("chat.completions.create", wanted | {"stream": True})
    streamed = [token for chunk in chunks for token in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert [token["token"] for token in streamed] == ["Be", "cause"]
    assert whole["choices"][0]["logprobs"]["content"] == streamed
    assert await langchain("logprobs", "Why?", model="Answer", logprobs=True, top_logprobs=1) == streamed


async def test_the_javascript_package_makes_responses_and_embeddings(js, engine):
    engine.says("Because.")
    first = await js("responses.create", {"model": "Answer", "input": "Why?"})
    assert first["output_text"] == "Because."
    engine.says("Still.")
    more = {"model": "Answer", "input": "And?", "previous_response_id": first["id"], "stream": True}
    events = await js("responses.create", more)
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert engine.upstream.asked[-1].body["messages"][-2]["content"] == "Because."
    assert (await js("responses.retrieve", events[-1]["response"]["id"]))["output_text"] == "Still."
    await js("responses.delete", first["id"])
    with pytest.raises(SdkError, match="NotFoundError"):
        await js("responses.retrieve", first["id"])
    vectors = await js("embeddings.create", {"model": "wordllama-l2-256", "input": ["a", "b"]})
    assert [len(each["embedding"]) for each in vectors["data"]] == [256, 256]


@pytest.mark.parametrize("way", [{}, {"use_responses_api": True}], ids=["completions", "responses"])
async def test_langchain_chats_streams_calls_tools_and_parses(langchain, engine, way):
    settings = {"model": "Answer"} | way
    engine.says("Because.")
    answer = await langchain("chat", "Why?", **settings)
    assert (answer["text"], {name: answer["usage"][name] for name in USED}) == ("Because.", USED)
    engine.says(*[f"{n} " for n in range(40)])
    answer = await langchain("stream", "Count", **settings)
    assert (answer["text"], answer["usage"]["total_tokens"]) == ("".join(f"{n} " for n in range(40)), 17)
    engine.upstream.plays(calling(CALL))
    engine.says("Sunny.")
    assert await langchain("agent", "Warm?", "sun", **settings) == {"arguments": {"city": "Rome"}, "text": "Sunny."}
    assert engine.upstream.asked[-1].results == {"call_1": "sun"}
    engine.says('{"city": "Oslo"}')
    assert await langchain("structured", "Where?", **settings) == {"city": "Oslo"}


async def test_langchain_embeds(langchain):
    vectors = await langchain("embed", ["a", "b"], model="wordllama-l2-256")
    assert [len(vector) for vector in vectors] == [256, 256]
