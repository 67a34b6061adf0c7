"""From turns to a run: of the action that `model` names, or of a provider's model with the turns as they are."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import actions, ids, models, runs
from libs.contracts.actions import Parameters
from libs.contracts.runs import Image, Message
from libs.contracts.tools import Offered
from services.gateway.directory.callers import Caller

VOICE = "openai"


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks, whichever of the two ways. `rendered`: the question is among the turns as the model had it
    before. `durable`: it goes on to its end without a reader.
    """

    turns: list[Message]
    mode: runs.Mode
    parameters: Parameters
    tools: list[Offered] = []
    tool_choice: str | None = None
    metadata: dict[str, Any] = {}
    end_user: str = ""
    rendered: bool = False
    durable: bool = False


def start(
    caller: Caller, target: actions.Action | models.Model, asked: Asked, session_id: UUID | None = None
) -> runs.StartRun:
    question = _Question("", [], asked.turns)
    if isinstance(target, actions.Action) and target.kind == "prompt" and not asked.rendered:
        question = _question(asked.turns)
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=target.id if isinstance(target, actions.Action) else ids.NONE,
        inputs=question.text,
        images=question.images,
        messages=question.others,
        voice=VOICE,
        mode=asked.mode,
        session_id=session_id,
        parameters=asked.parameters,
        tools=asked.tools,
        tool_choice=asked.tool_choice,
        metadata=asked.metadata,
        end_user=asked.end_user,
        durable=asked.durable,
        draft=runs.Draft(kind="chat", model_id=target.id) if isinstance(target, models.Model) else None,
    )


class _Question(Struct, frozen=True):
    """The turn that an action's prompt is filled with, and all others."""

    text: str
    images: list[Image]
    others: list[Message]


def _question(turns: list[Message]) -> _Question:
    """The last turn, or the one before the calls that end the turns: where it is a user's."""
    at = len(turns) - 1
    while at > 0 and (turns[at].role == "tool" or turns[at].calls):
        at -= 1
    if at < 0 or turns[at].role != "user":
        return _Question("", [], turns)
    return _Question(turns[at].content, turns[at].images, [*turns[:at], *turns[at + 1 :]])
