"""The official Python package, unchanged, against the whole engine: what a program for OpenAI does, and gets."""

import asyncio
import base64
import json

import openai
import pytest

from tests.support.provider import Answer, Call, calling, refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

ASKED = [{"role": "user", "content": "Why?"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": WEATHER}}
FUNCTION = {"type": "function", "name": "weather", "description": "Tells it", "parameters": WEATHER}
PNG = b"\x89PNG\r\n\x1a\n one pixel"
CALL = Call("call_1", "weather", '{"city": "Rome"}')
PIXEL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def sent(engine) -> dict:
    return engine.upstream.asked[-1].body


async def test_models_are_actions_and_what_providers_serve(made):
    listed = {model.id: model async for model in await made.openai.models.list()}
    assert listed.keys() >= {"Answer", made.model, "wordllama-l2-256"}
    assert listed["Answer"].model_extra == {"guid": made.action}
    for name in ("Answer", made.action, made.model, "wordllama-l2-256"):
        assert (await made.openai.models.retrieve(name)).id == name
    with pytest.raises(openai.NotFoundError) as raised:
        await made.openai.models.retrieve("gpt-nothing")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("name", ["Answer", "guid"])
async def test_an_action_answers_as_it_is_made(made, engine, name):
    engine.says("Because.")
    earlier = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    model = made.action if name == "guid" else name
    answer = await made.openai.chat.completions.create(model=model, messages=earlier + ASKED, temperature=0.5)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Because.", "stop")
    assert (answer.usage.total_tokens, answer.model) == (17, model)
    assert sent(engine)["messages"] == [
        {"role": "system", "content": "Be brief."},
        *earlier,
        {"role": "user", "content": "Answer: Why?"},
    ]
    assert sent(engine)["temperature"] == 0.5
    point = await made.client.get(f"/v1/data/{answer.id.removeprefix('chatcmpl-')}")
    assert (point["action"], point["completion"]) == (made.action, "Because.")


async def test_a_providers_model_gets_the_messages_as_they_are(made, engine):
    engine.says("Because.")
    system = [{"role": "developer", "content": "Be kind."}]
    raw = await made.openai.chat.completions.with_raw_response.create(
        model=made.model, messages=system + ASKED, stop=["END"], seed=7, max_completion_tokens=50
    )
    assert raw.parse().choices[0].message.content == "Because."
    assert sent(engine)["messages"] == [{"role": "system", "content": "Be kind."}, *ASKED]
    assert (sent(engine)["model"], sent(engine)["stop"], sent(engine)["seed"]) == ("vendor/large", ["END"], 7)
    point = await made.client.get(f"/v1/data/{raw.headers['X-Run-Id']}")
    assert point["completion"] == "Because."


async def test_a_completion_streams_with_its_usage_where_it_is_asked_for(made, engine):
    engine.says("Be", "cause.")
    stream = await made.openai.chat.completions.create(
        model="Answer", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Because."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 17)


async def test_a_tool_of_the_callers_is_called_and_its_result_is_told_back(made, engine):
    engine.upstream.plays(calling(CALL))
    first = await made.openai.chat.completions.create(
        model="Answer", messages=ASKED, tools=[TOOL], tool_choice="required"
    )
    [choice] = first.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    [call] = choice.message.tool_calls
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("call_1", "weather", {"city": "Rome"})
    assert (sent(engine)["tools"][0]["function"]["name"], sent(engine)["tool_choice"]) == ("weather", "required")
    engine.says("Sunny.")
    told = [*ASKED, choice.message, {"role": "tool", "tool_call_id": "call_1", "content": "sun"}]
    second = await made.openai.chat.completions.create(model="Answer", messages=told, tools=[TOOL])
    assert second.choices[0].message.content == "Sunny."
    assert [turn["role"] for turn in sent(engine)["messages"]] == ["system", "user", "assistant", "tool"]
    assert (sent(engine)["messages"][1]["content"], engine.upstream.asked[-1].results) == (
        "Answer: Why?",
        {"call_1": "sun"},
    )


async def test_calls_stream_as_the_client_puts_them_together(made, engine):
    engine.upstream.plays(calling(CALL, Call("call_2", "weather", '{"city": "Oslo"}')))
    async with made.openai.chat.completions.stream(model="Answer", messages=ASKED, tools=[TOOL]) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Rome", "Oslo"]


async def test_an_answer_is_parsed_in_the_format_that_was_asked_for(made, engine):
    from pydantic import BaseModel

    class City(BaseModel):
        city: str

    engine.says('```json\n{"city": "Rome"}\n```')
    answer = await made.openai.chat.completions.parse(model="Answer", messages=ASKED, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Rome")
    engine.says('{"city": ', '"Oslo"}')
    response = await made.openai.responses.parse(model="Answer", input="Where?", text_format=City)
    assert response.output_parsed == City(city="Oslo")
    assert sent(engine)["response_format"]["json_schema"]["name"] == "City"


async def test_images_reach_a_model_that_sees(made, engine):
    own = {"llm": "gpt-4o", "provider": "Own", "key": "sk-1234567890abcdef", "url": engine.upstream.openai_url}
    await made.client.post("/v1/models", own)
    engine.says("A pixel.")
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages = [{"role": "user", "content": parts}]
    await made.openai.chat.completions.create(model="Own/gpt-4o", messages=messages)
    [image, text] = sent(engine)["messages"][0]["content"]
    assert (text["text"], image["image_url"]["url"].startswith("data:image/png;base64,")) == ("What is it?", True)
    engine.says("A pixel.")
    items = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": PIXEL}]
    await made.openai.responses.create(model="Own/gpt-4o", input=[{"role": "user", "content": items}])
    assert sent(engine)["messages"][0]["content"][0] == image
    with pytest.raises(openai.BadRequestError, match="sees no images"):
        await made.openai.chat.completions.create(model="Answer", messages=messages)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"messages": []}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0].type",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 0, "max_tokens": 5}, "max_completion_tokens"),
        ({"stop": ["a", ""]}, "stop"),
        ({"model": "Own/gpt-4o", "messages": [{"role": "system", "content": "Be brief."}]}, "messages"),
    ],
)
async def test_what_is_not_given_is_refused_by_its_name(made, more, param):
    with pytest.raises(openai.BadRequestError) as raised:
        await made.openai.chat.completions.create(**{"model": "Answer", "messages": ASKED} | more)
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_p": 7}, "top_p"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
async def test_what_a_response_can_not_be_is_refused_by_its_name(made, more, param):
    with pytest.raises(openai.BadRequestError) as raised:
        await made.openai.responses.create(**{"model": "Answer", "input": "Why?"} | more)
    assert raised.value.param == param


async def test_to_stop_at_nothing_is_not_to_stop(made, engine):
    engine.says("Because.")
    answer = await made.openai.chat.completions.create(model="Answer", messages=ASKED, stop="")
    assert (answer.choices[0].message.content, "stop" in sent(engine)) == ("Because.", False)


async def test_without_a_key_or_a_model_the_client_raises_as_with_openai(made, engine):
    with pytest.raises(openai.AuthenticationError) as raised:
        await made.openai.with_options(api_key="sk-none").models.list()
    assert raised.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError):
        await made.openai.chat.completions.create(model="gpt-nothing", messages=ASKED)
    engine.upstream.plays(refusal(400, "too odd"))
    with pytest.raises(openai.APIStatusError, match="too odd"):
        await made.openai.chat.completions.create(model="Answer", messages=ASKED)


async def test_a_stream_that_fails_raises_at_the_client(made, engine):
    engine.upstream.plays(Answer(pieces=("Be", "cause"), breaks_after=1))
    stream = await made.openai.chat.completions.create(model="Answer", messages=ASKED, stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


async def test_a_response_is_made_asked_for_gone_on_from_and_deleted(made, engine):
    engine.says("Because.")
    made_first = await made.openai.responses.create(
        model="Answer", input="Why?", instructions="In verse.", metadata={"by": "me"}, max_output_tokens=99
    )
    assert (made_first.output_text, made_first.status, made_first.usage.total_tokens) == ("Because.", "completed", 17)
    assert (made_first.instructions, made_first.metadata, made_first.max_output_tokens) == (
        "In verse.",
        {"by": "me"},
        99,
    )
    assert sent(engine)["messages"][0]["content"] == "Be brief.\n\nIn verse."
    kept = await made.openai.responses.retrieve(made_first.id)
    assert kept == made_first
    engine.says("Still because.")
    second = await made.openai.responses.create(
        model="Answer", input=[{"role": "user", "content": "Why then?"}], previous_response_id=made_first.id
    )
    assert second.previous_response_id == made_first.id
    assert [turn["content"] for turn in sent(engine)["messages"]] == [
        "Be brief.",
        "Answer: Why?",
        "Because.",
        "Answer: Why then?",
    ]
    await made.openai.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        await made.openai.responses.retrieve(second.id)
    with pytest.raises(openai.BadRequestError) as raised:
        await made.openai.responses.create(model="Answer", input="And?", previous_response_id=second.id)
    assert (raised.value.code, raised.value.param) == ("previous_response_not_found", "previous_response_id")


EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
]


async def test_a_response_streams_in_openais_order_of_events(made, engine):
    engine.upstream.plays(calling(CALL, thoughts=("Hm.",), pieces=("I will look.",)))
    stream = await made.openai.responses.create(model="Answer", input="Why?", tools=[FUNCTION], stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == EVENTS
    assert [event.sequence_number for event in events] == list(range(len(EVENTS)))
    final = events[-1].response
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert (await made.openai.responses.retrieve(final.id)).output == final.output
    again = [event async for event in await made.openai.responses.retrieve(final.id, stream=True)]
    assert [event.type for event in again] == EVENTS
    rest = await made.openai.responses.retrieve(final.id, stream=True, starting_after=15)
    assert [event.sequence_number async for event in rest] == [16, 17, 18]


async def test_the_clients_own_accumulation_of_a_stream_is_the_response(made, engine):
    engine.says(*[f"{n} " for n in range(50)])
    async with made.openai.responses.stream(model=made.model, input="Count") as stream:
        text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        final = await stream.get_final_response()
    assert text == final.output_text == "".join(f"{n} " for n in range(50))


async def test_the_output_of_a_function_is_told_to_the_response_that_called_it(made, engine):
    engine.upstream.plays(calling(CALL))
    first = await made.openai.responses.create(model="Answer", input="Warm?", tools=[FUNCTION], tool_choice="auto")
    [call] = first.output
    assert (call.type, call.call_id) == ("function_call", "call_1")
    engine.says("Yes, warm.")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "30 degrees"}
    second = await made.openai.responses.create(
        model="Answer", input=[output], tools=[FUNCTION], previous_response_id=first.id
    )
    assert second.output_text == "Yes, warm."
    assert [(turn["role"], turn["content"]) for turn in sent(engine)["messages"]] == [
        ("system", "Be brief."),
        ("user", "Answer: Warm?"),
        ("assistant", None),
        ("tool", "30 degrees"),
    ]
    engine.says("Since noon.")
    await made.openai.responses.create(model="Answer", input="Since when?", previous_response_id=second.id)
    assert [turn["content"] for turn in sent(engine)["messages"]] == [
        "Be brief.",
        "Answer: Warm?",
        "Yes, warm.",
        "Answer: Since when?",
    ]


async def test_the_same_without_the_engine_s_memory(made, engine):
    engine.upstream.plays(calling(CALL))
    items = [{"role": "user", "content": "Warm?"}]
    first = await made.openai.responses.create(model=made.model, input=items, tools=[FUNCTION], store=False)
    items += [item.to_dict() for item in first.output]
    items.append({"type": "function_call_output", "call_id": "call_1", "output": "30 degrees"})
    engine.says("Yes.")
    second = await made.openai.responses.create(model=made.model, input=items, tools=[FUNCTION], store=False)
    assert second.output_text == "Yes."
    assert [turn["role"] for turn in sent(engine)["messages"]] == ["user", "assistant", "tool"]
    with pytest.raises(openai.NotFoundError):
        await made.openai.responses.retrieve(first.id)


async def test_a_response_in_the_background_is_polled_and_cancelled(made, engine):
    engine.upstream.plays(Answer(pieces=("Later.",)))
    accepted = await made.openai.responses.create(model="Answer", input="Why?", background=True)
    assert accepted.status in ("queued", "in_progress")

    async def completed():
        found = await made.openai.responses.retrieve(accepted.id)
        return found if found.status == "completed" else None

    found = await eventually(completed)
    assert (found.output_text, found.background) == ("Later.", True)

    engine.upstream.plays(Answer(pieces=("One", "two"), gate=asyncio.Event()))
    stream = await made.openai.responses.create(model="Answer", input="Why?", background=True, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            cancelled = await made.openai.responses.cancel(event.item_id.split("_")[1])
        last = event
    assert cancelled.status == "cancelled"
    assert (last.type, last.response.status, last.response.output_text) == ("response.incomplete", "cancelled", "One")


async def test_an_answer_that_is_cut_short_is_incomplete(made, engine):
    engine.upstream.plays(Answer(pieces=("Be",), reason="length"))
    response = await made.openai.responses.create(model="Answer", input="Why?")
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    engine.upstream.plays(Answer(pieces=("Be", "cause"), breaks_after=1))
    events = [event async for event in await made.openai.responses.create(model="Answer", input="Why?", stream=True)]
    assert (events[-1].type, events[-1].response.error.code) == ("response.failed", "server_error")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
    ],
)
async def test_a_response_s_request_is_refused_by_the_field_that_is_wrong(made, more, param):
    with pytest.raises(openai.BadRequestError) as raised:
        await made.openai.responses.create(**{"model": "Answer", "input": "Why?"} | more)
    assert raised.value.param == param


async def test_texts_become_vectors(made):
    texts = ["A lighthouse by the sea", "A beacon on the coast"]
    packed = await made.openai.embeddings.create(model="wordllama-l2-256", input=texts)
    plain = await made.openai.embeddings.create(model="wordllama-l2-256", input=texts, encoding_format="float")
    assert packed.data == plain.data
    assert (len(plain.data[0].embedding), [each.index for each in plain.data]) == (256, [0, 1])
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 5
    many = await made.openai.embeddings.create(model="wordllama-l2-256", input=[f"text {n}" for n in range(600)])
    last = await made.openai.embeddings.create(model="wordllama-l2-256", input="text 599", dimensions=256)
    assert (len(many.data), many.data[-1].embedding) == (600, last.data[0].embedding)


@pytest.mark.parametrize(
    ("more", "error", "param"),
    [
        ({"model": "text-embedding-3-small"}, openai.NotFoundError, "model"),
        ({"dimensions": 100}, openai.BadRequestError, "dimensions"),
        ({"input": []}, openai.BadRequestError, "input"),
        ({"input": ""}, openai.BadRequestError, "input[0]"),
        ({"input": [[1, 2]]}, openai.BadRequestError, "input[0]"),
    ],
)
async def test_what_can_not_be_embedded_is_refused(made, more, error, param):
    with pytest.raises(error) as raised:
        await made.openai.embeddings.create(**{"model": "wordllama-l2-256", "input": "a"} | more)
    assert raised.value.param == param
