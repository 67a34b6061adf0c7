"""The prompt of a run: system message, what the session remembers, the caller's turns, and the rendered template."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import actions, runs
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Message
from services.runner.prompting import templates
from services.runner.prompting.rendering import Renderer
from services.runner.prompting.templates import Template


class Scripted(Struct, frozen=True):
    """An action with its templates parsed. `names` are the variables of its prompt."""

    action: actions.Action
    prompt: Template
    system: Template
    examples: list[Template]
    names: tuple[str, ...]

    @property
    def id(self) -> UUID:
        return self.action.id


class Prompt(Struct, frozen=True):
    """What a run asks. `question` is the person's own turn, which memory keeps; `search` what is looked up for it."""

    system: str
    examples: list[Message]
    turns: list[Message]
    question: str
    search: str

    def messages(self, memory: list[Message]) -> list[Message]:
        return [*([Message("system", self.system)] if self.system else ()), *self.examples, *memory, *self.turns]


class Prompting:
    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def script(self, action: actions.Action) -> Scripted:
        prompt, system = templates.parse(action.prompt), templates.parse(action.system_message)
        examples = [templates.parse(example.content) for example in action.examples]
        return Scripted(action, prompt, system, examples, await self._renderer.names(prompt))

    async def check(self, action: actions.Action | actions.CreateAction | runs.Draft) -> None:
        """Raises Fault INVALID, with the field, for a template that is not well formed."""
        examples = (("examples", example.content) for example in action.examples)
        for field, source in (("prompt", action.prompt), ("system_message", action.system_message), *examples):
            try:
                await self._renderer.names(templates.parse(source))
            except Fault as fault:
                raise Fault(fault.code, fault.message, field=field, retry_after=fault.retry_after) from None

    async def prompt(self, scripted: Scripted, request: runs.StartRun) -> Prompt:
        """Raises Fault INVALID for a missing variable, and where there is nothing to ask."""
        inputs = request.inputs
        values = templates.values(scripted.names, inputs)
        system = await self._renderer.render(scripted.system, values) if scripted.system.source else ""
        system, turns = _with_own(system, request.messages)
        examples = await self._examples(scripted, values)
        calling = _calling(turns)
        if turns and (scripted.action.kind == "chat" or (calling < len(turns) and not inputs)):
            return _of_turns(system, examples, turns)
        rendered = await self._renderer.render(scripted.prompt, values)
        if isinstance(inputs, str) and not scripted.names:
            rendered = templates.appended(rendered, inputs)
        if not rendered.strip() and not request.images:
            raise _unasked(request)
        asked = inputs if isinstance(inputs, str) else "\n".join(filter(None, map(_words, inputs.values())))
        turns = [*turns[:calling], Message("user", rendered, images=request.images), *turns[calling:]]
        return Prompt(system, examples, turns, rendered, asked.strip() or rendered)

    async def _examples(self, scripted: Scripted, values: dict[str, Any]) -> list[Message]:
        told = zip(scripted.action.examples, scripted.examples, strict=True)
        return [Message(example.role, await self._renderer.render(text, values)) for example, text in told]


def _with_own(system: str, turns: list[Message]) -> tuple[str, list[Message]]:
    """The action's system message with the caller's, and the turns without them."""
    own = [turn.content for turn in turns if turn.role == "system"]
    return "\n\n".join(filter(None, [system, *own])), [turn for turn in turns if turn.role != "system"]


def _calling(turns: list[Message]) -> int:
    """Where the calls begin, with their results, that followed the question; the end where there are none."""
    at = len(turns)
    while at and turns[-1].role == "tool" and (turns[at - 1].role == "tool" or turns[at - 1].calls):
        at -= 1
    return at


def _of_turns(system: str, examples: list[Message], turns: list[Message]) -> Prompt:
    """A prompt whose turns are all the caller's own."""
    question = next((turn for turn in reversed(turns) if turn.role == "user"), None)
    if question is None or not (question.content.strip() or question.images):
        raise _without_question()
    return Prompt(system, examples, turns, question.content, question.content)


def _unasked(request: runs.StartRun) -> Fault:
    if request.messages:
        return _without_question()
    return Fault(Code.INVALID, "There is nothing to ask: give an input.", field="input")


def _without_question() -> Fault:
    return Fault(Code.INVALID, "There is no message of the user's among these.", field="messages")


def _words(value: object) -> str:
    return value if isinstance(value, str) else ""
