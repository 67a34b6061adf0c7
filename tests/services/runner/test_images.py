"""Images: to models that see, in both protocols, and not kept."""

import base64

import pytest

from libs.contracts import models, runs
from libs.contracts.faults import Code, Fault
from services.runner.providers import presets
from tests.support.provider import Answer

pytestmark = pytest.mark.asyncio

PNG = b"\x89PNG\r\n\x1a\n1"
IMAGE = runs.Image("cat.png", "image/png", PNG)
DATA = base64.b64encode(PNG).decode()


async def seeing(caller, upstream, kind: str, llm: str = "gpt-4o", **more):
    provider = {"name": f"{kind}-here", "url": upstream.openai_url if kind == "openai" else upstream.url}
    made = models.CreateModel(caller.workspace_id, llm, provider["name"], "key", provider["url"], **more)
    model = await caller.bus.call(models.CREATE, made)
    return await caller.action("", kind="chat", model_id=model.id)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (
            "openai",
            [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
                {"type": "text", "text": "What is it?"},
            ],
        ),
        (
            "anthropic",
            [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
                {"type": "text", "text": "What is it?"},
            ],
        ),
    ],
)
async def test_an_image_goes_before_the_words_about_it(caller, upstream, kind, content):
    upstream.plays(Answer(pieces=("A cat.",), reason="end_turn" if kind == "anthropic" else "stop"))
    run = await caller.run(await seeing(caller, upstream, kind), "What is it?", images=[IMAGE])
    assert upstream.asked[-1].body["messages"] == [{"role": "user", "content": content}]
    assert run.output == "A cat."
    told = (await caller.get(run.id)).prompt[-1]
    assert (told.content, told.images) == ("What is it?", [runs.Image("cat.png", "image/png")])


async def test_an_image_may_come_without_a_word(caller, upstream):
    upstream.plays(Answer(pieces=("A cat.",)))
    assert (await caller.run(await seeing(caller, upstream, "openai"), "", images=[IMAGE])).output == "A cat."


async def test_a_model_that_sees_none_is_not_asked(caller, upstream):
    for action in (await caller.action(), await seeing(caller, upstream, "openai", sees_images=False)):
        with pytest.raises(Fault) as raised:
            await caller.run(action, "What is it?", images=[IMAGE])
        assert raised.value.code is Code.UNSUPPORTED
        assert "cat.png" in raised.value.message


async def test_whether_a_model_sees_may_be_said_and_unsaid(caller, upstream):
    action = await seeing(caller, upstream, "openai", "our-own", sees_images=True)
    upstream.plays(Answer(pieces=("A cat.",)))
    assert (await caller.run(action, "What is it?", images=[IMAGE])).output == "A cat."
    changed = models.UpdateModel(caller.workspace_id, action.model_id, sees_images=None)
    assert (await caller.bus.call(models.UPDATE, changed)).sees_images is None
    with pytest.raises(Fault):
        await caller.run(action, "What is it?", images=[IMAGE])


SEEING = """gpt-4o-mini gpt-4.1 gpt-5-nano o3 o1 o4-mini claude-sonnet-4-5 anthropic/claude-3-haiku gemini-2.5-flash
llava:13b qwen2.5-vl-7b-instruct pixtral-12b llama-3.2-11b-vision gemma3:4b"""
BLIND = """gpt-3.5-turbo gpt-4 o1-mini o1-preview o3-mini claude-2.1 mistral-large-latest deepseek-chat llama3.2 default
gpt-4o-audio-preview gpt-4o-transcribe openai/gpt-oss-20b o200k olmo"""


@pytest.mark.parametrize(("llms", "sees"), [(SEEING, True), (BLIND, False)])
async def test_some_models_are_known_to_see(llms, sees):
    assert {llm: presets.sees_images(llm) for llm in llms.split()} == dict.fromkeys(llms.split(), sees)
