"""How likely the model held the tokens of its answer, as the official package reads it."""

import openai
import pytest

from tests.support.provider import Answer, Call, calling

pytestmark = pytest.mark.asyncio

ASKED = [{"role": "user", "content": "Why?"}]
SCORED = Answer(pieces=("Be", "cause", "é"), scored=3)
TOLD = [("Be", -0.25, ["Be", "Be'"]), ("cause", -0.25, ["cause", "cause'"]), ("é", -0.25, ["é", "é'"])]
LOGPROBS = ["message.output_text.logprobs"]


def told(tokens) -> list:
    assert all(bytes(token.bytes).decode() == token.token for token in tokens)
    return [(token.token, token.logprob, [top.token for top in token.top_logprobs]) for token in tokens]


async def test_an_answer_tells_them_where_they_are_asked_for(made, engine):
    for answer in (SCORED, Answer(pieces=SCORED.pieces, scored=3, plain=True)):
        engine.upstream.plays(answer)
        whole = await made.openai.chat.completions.create(model="Answer", messages=ASKED, logprobs=True, top_logprobs=2)
        sent = engine.upstream.asked[-1].body
        assert (sent["logprobs"], sent["top_logprobs"]) == (True, 2)
        assert told(whole.choices[0].logprobs.content) == TOLD, "two of the three that the provider told"
        assert whole.choices[0].logprobs.refusal is None


async def test_nobody_is_told_what_was_not_asked_for(made, engine):
    engine.upstream.plays(SCORED, SCORED)
    whole = await made.openai.chat.completions.create(model=made.model, messages=ASKED)
    assert whole.choices[0].logprobs is None
    assert not {"logprobs", "top_logprobs"} & engine.upstream.asked[-1].body.keys()
    bare = await made.openai.chat.completions.create(model=made.model, messages=ASKED, logprobs=True)
    assert [tops for _, _, tops in told(bare.choices[0].logprobs.content)] == [[], [], []]
    assert "top_logprobs" not in engine.upstream.asked[-1].body, "some servers take a zero for: none at all"


async def test_where_the_provider_gives_none_there_are_none(made, engine):
    own = {"llm": "claude-x", "provider": "Anthropic", "key": "sk-ant-1234567890abcdef", "url": engine.upstream.url}
    await made.client.post("/v1/models", own)
    for model in ("Answer", "Anthropic/claude-x"):
        engine.says("Because.")
        whole = await made.openai.chat.completions.create(model=model, messages=ASKED, logprobs=True)
        assert (whole.choices[0].message.content, whole.choices[0].logprobs) == ("Because.", None)


async def test_each_piece_of_a_stream_tells_its_own(made, engine):
    engine.upstream.plays(Answer(pieces=SCORED.pieces, scored=3, between=0.03))
    stream = await made.openai.chat.completions.create(
        model="Answer", messages=ASKED, logprobs=True, top_logprobs=2, stream=True
    )
    choices = [chunk.choices[0] async for chunk in stream]
    saying = [choice for choice in choices if choice.delta.content]
    assert len(saying) > 1
    for choice in saying:
        assert "".join(token.token for token in choice.logprobs.content) == choice.delta.content
    assert [token for choice in saying for token in told(choice.logprobs.content)] == TOLD
    assert all(choice.logprobs is None for choice in choices if not choice.delta.content)


async def test_a_request_made_again_and_a_stream_read_again_say_the_same(made, engine):
    engine.upstream.plays(SCORED, Answer(pieces=SCORED.pieces, scored=3, between=0.03))
    asked = {"model": "Answer", "messages": ASKED, "logprobs": True, "top_logprobs": 2}
    again = {"extra_headers": {"Idempotency-Key": "logprobs"}}
    first = await made.openai.chat.completions.create(**asked, **again)
    assert await made.openai.chat.completions.create(**asked, **again) == first
    async with made.openai.chat.completions.with_streaming_response.create(**asked, stream=True) as raw:
        run_id = raw.headers["X-Run-Id"]
        await raw.read()
    resumed = await made.openai.chat.completions.create(
        **asked, stream=True, extra_headers={"Last-Event-ID": f"{run_id}-1"}
    )
    choices = [chunk.choices[0] async for chunk in resumed]
    kept = [token for choice in choices if choice.logprobs for token in told(choice.logprobs.content)]
    assert kept == TOLD, "from what is stored of a run that has ended"


async def test_answers_after_a_tools_result_and_those_put_right(made, engine):
    engine.upstream.plays(Answer(pieces=('```json\n{"a": 1}\n```',), scored=0))
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    whole = await made.openai.chat.completions.create(
        model="Answer", messages=ASKED, logprobs=True, response_format=schema
    )
    assert (whole.choices[0].message.content, whole.choices[0].logprobs) == ('{"a": 1}', None)
    engine.upstream.plays(calling(Call("call_1", "weather", "{}"), scored=1))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    called = await made.openai.chat.completions.create(model="Answer", messages=ASKED, logprobs=True, tools=[tool])
    assert (called.choices[0].finish_reason, called.choices[0].logprobs) == ("tool_calls", None)


async def test_a_response_tells_them_whole_streamed_and_asked_for_later(made, engine):
    engine.upstream.plays(SCORED, SCORED, SCORED)
    asked = {"model": "Answer", "input": "Why?", "top_logprobs": 2, "include": LOGPROBS}
    whole = await made.openai.responses.create(**asked)
    assert told(whole.output[0].content[0].logprobs) == TOLD
    assert whole.to_dict()["top_logprobs"] == 2
    assert (await made.openai.responses.retrieve(whole.id)).output == whole.output
    stream = await made.openai.responses.create(**asked, stream=True)
    events = {event.type: event async for event in stream}
    assert told(events["response.output_text.done"].logprobs) == TOLD
    assert told(events["response.completed"].response.output[0].content[0].logprobs) == TOLD
    bare = await made.openai.responses.create(model="Answer", input="Why?")
    assert bare.output[0].content[0].logprobs == []
    with pytest.raises(openai.BadRequestError, match="0 to 20"):
        await made.openai.responses.create(**asked | {"top_logprobs": 21})


async def test_klus_chat_completions_tell_them_as_well(made, engine):
    engine.upstream.plays(SCORED)
    klu = made.openai.with_options(base_url=f"{engine.url}/klu/v1")
    whole = await klu.chat.completions.create(model="Answer", messages=ASKED, logprobs=True, top_logprobs=2)
    assert told(whole.choices[0].logprobs.content) == TOLD
