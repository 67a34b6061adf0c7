"""What starts a run, or only renders what it would send."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.actions import Example, Kind, Parameters
from libs.contracts.runs.messages import Image, Message
from libs.contracts.tools import Offered

# The voice in which Aria speaks.
ARIA = "klairo"
# Voices in which the engine asks by itself: for an eval, and in the steps of an automation.
OF_EVALS, OF_AUTOMATIONS = "eval", "automation"
OWN_VOICES = frozenset({OF_EVALS, OF_AUTOMATIONS})


class Mode(StrEnum):
    """How the caller reads the run: `runs.start` answers with the finished, the started, or the accepted one."""

    BLOCKING = "blocking"
    STREAMING = "streaming"
    ASYNC = "async"


class Draft(Struct, frozen=True):
    """An action that is not kept: it runs once, in place of what an action says. Every field is as an action's."""

    prompt: str = ""
    kind: Kind = "prompt"
    system_message: str = ""
    model_id: UUID | None = None
    parameters: Parameters = Parameters()
    context_ids: list[UUID] = []
    tool_ids: list[UUID] = []
    examples: list[Example] = []


class StartRun(Struct, frozen=True):
    """Starts the run `run_id`, minted by the caller; the same id again answers with the same run.

    `action_id`: an app's id stands for its default action. With a `draft` it says whose run that is, ids.NONE nobody's.
    `passages`: how many of them the answer may come from, at most.
    `new_session`: what the session is called where there is none of its id yet, and it is made; None where it must be
    there. `inputs`: the values of the template's variables, or one text. `messages`: the turns of a chat action.
    `conditions` restrict what is retrieved, in the metadata filter's spelling (libs.contracts.search).
    `images` go with the inputs, and are refused where the model sees none.
    `durable`: its start is committed before it is accepted, and it goes on to its end without a reader.
    `follower` follows it from its start (libs.contracts.followers); without one, `unfollowed_seconds` is how long it
    goes on until it has the first, None for as long as it takes.
    `tools` are the caller's own, beside the action's: a call of one ends the run, with the finish reason `tool_calls`,
    and what it came to is told in the `messages` of the next one: where these end with calls and their results, the
    `inputs` were asked before them, or among the messages where there are none. `tool_choice` is auto, none, required,
    or the name of the tool that must be called.
    `experiment` is the id of one that chooses the action among its variants: `action_id` is one of them, or ids.NONE;
    where `forced` is set, it is the one that runs. `variant_id` is what it has chosen, which the runner puts down.
    `version_id` is the version that runs in place of what is deployed.
    `informed`: it may look up what the workspace has. Beside its action's own tools the model has the built-in ones;
    one that calls none is told of contacts and automations, and of what the contexts say, in its prompt.
    """

    workspace_id: UUID
    run_id: UUID
    action_id: UUID
    inputs: str | dict[str, Any]
    voice: str
    mode: Mode = Mode.BLOCKING
    session_id: UUID | None = None
    messages: list[Message] = []
    conditions: dict[str, Any] | None = None
    cache: bool = False
    parameters: Parameters | None = None
    experiment: str | None = None
    environment: str | None = None
    end_user: str = ""
    metadata: dict[str, Any] = {}
    durable: bool = False
    tools: list[Offered] = []
    tool_choice: str | None = None
    new_session: str | None = None
    follower: str = ""
    unfollowed_seconds: float | None = None
    draft: Draft | None = None
    passages: int | None = None
    images: list[Image] = []
    forced: bool = False
    version_id: UUID | None = None
    variant_id: UUID | None = None
    informed: bool = False


class Rendered(Struct, frozen=True):
    """What a run would send to the model: its passages are found, and nothing is asked."""

    action_id: UUID
    action_version: int
    model_id: UUID
    model: str
    messages: list[Message]
    parameters: Parameters
