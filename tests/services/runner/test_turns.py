"""The caller's own turns in a prompt: before the question, and after it where tools were called."""

import msgspec
import pytest
import pytest_asyncio

from libs.contracts import ids, runs
from libs.contracts.actions import Example
from libs.contracts.runs import Message, ToolCall
from services.runner.prompting.prompts import Prompt, Prompting
from services.runner.prompting.rendering import Renderer
from tests.dialects.klu import examples

pytestmark = pytest.mark.asyncio

ACTION = {"prompt": "In French: {{text}}", "system_message": "Be brief."}
CALLED = Message("assistant", "", [ToolCall("1", "look", "{}")])
FOUND = Message("tool", "It rains.", call_id="1")
EARLIER = [Message("user", "Hi"), Message("assistant", "Hello")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prompting():
    renderer = Renderer()
    yield Prompting(renderer)
    await renderer.close()


async def prompted(prompting: Prompting, inputs: str | dict[str, str], *turns: Message, **action) -> Prompt:
    scripted = await prompting.script(msgspec.structs.replace(examples.action, **ACTION | action))
    asked = runs.StartRun(ids.new(), ids.new(), ids.NONE, inputs, "openai", messages=list(turns))
    return await prompting.prompt(scripted, asked)


async def test_a_question_comes_after_earlier_turns_and_before_the_calls_that_followed_it(prompting):
    prompt = await prompted(prompting, "rain", *EARLIER, CALLED, FOUND)
    assert prompt.turns == [*EARLIER, Message("user", "In French: rain"), CALLED, FOUND]
    assert (prompt.question, prompt.search) == ("In French: rain", "rain")
    assert (await prompted(prompting, "rain", *EARLIER)).turns == [*EARLIER, Message("user", "In French: rain")]


async def test_turns_that_end_with_results_say_themselves_what_was_asked(prompting):
    prompt = await prompted(prompting, "", Message("user", "In French: rain"), CALLED, FOUND)
    assert (prompt.turns, prompt.question) == ([Message("user", "In French: rain"), CALLED, FOUND], "In French: rain")


@pytest.mark.parametrize("own", [[], [Message("user", "rain")]])
async def test_an_actions_examples_stand_before_what_is_remembered_and_what_is_said(prompting, own):
    examples = [Example("user", "Twice: {{text}}"), Example("assistant", "Bien, bien.")]
    prompt = await prompted(prompting, {"text": "rain"}, *own, kind="chat", examples=examples)
    assert prompt.examples == [Message("user", "Twice: rain"), Message("assistant", "Bien, bien.")]
    assert prompt.messages(EARLIER) == [Message("system", "Be brief."), *prompt.examples, *EARLIER, *prompt.turns]
    assert (prompt.turns, prompt.search) == (own or [Message("user", "In French: rain")], "rain")


@pytest.mark.parametrize("kind", ["prompt", "chat"])
async def test_the_callers_system_messages_follow_the_actions(prompting, kind):
    own = Message("system", "In verse.")
    asked = ("", Message("user", "rain")) if kind == "chat" else ("rain",)
    prompt = await prompted(prompting, asked[0], own, *asked[1:], kind=kind)
    assert prompt.system == "Be brief.\n\nIn verse."
    assert [turn.role for turn in prompt.turns] == ["user"]
