"""Actions: a prompt template with its model, parameters, contexts and tools.

Owner: runner. Every change makes a new version, which is kept; runs name the one they used. In an environment the
version runs that is deployed there.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc

Kind = Literal["prompt", "chat"]
# The environment of a run that names none. Until something is deployed to it, the newest version runs there.
PRODUCTION = "production"


class Parameters(Struct, frozen=True, omit_defaults=True):
    """What shapes a generation; None leaves it to the provider. `timeout` is in seconds.

    `response_format` is a provider's (`{"type": "json_schema", …}`), but kept whatever the provider: an answer that
    does not fit it fails. `tool_rounds`: after so many rounds of tool calls the model must answer. `top_logprobs`: the
    probabilities of the answer's tokens are told, each with so many of the likeliest at its place.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    retries: int | None = None
    timeout: float | None = None
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    tool_rounds: int | None = None
    top_logprobs: int | None = None


class Example(Struct, frozen=True):
    """A turn that stands before what is asked, to show how it is answered. It is a template, as the prompt is."""

    role: Literal["user", "assistant"]
    content: str


class Action(Struct, frozen=True):
    id: UUID
    workspace_id: UUID
    app_id: UUID
    version_id: UUID
    version: int
    name: str
    kind: Kind
    description: str
    prompt: str
    system_message: str
    model_id: UUID | None
    parameters: Parameters
    context_ids: list[UUID]
    metadata: dict[str, Any]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    tool_ids: list[UUID] = []
    examples: list[Example] = []


class CreateAction(Struct, frozen=True):
    """Without `model_id` the action follows the workspace's default model."""

    workspace_id: UUID
    app_id: UUID
    name: str
    prompt: str
    kind: Kind = "prompt"
    description: str = ""
    system_message: str = ""
    model_id: UUID | None = None
    parameters: Parameters = Parameters()
    context_ids: list[UUID] = []
    metadata: dict[str, Any] = {}
    created_by: UUID | None = None
    id: UUID | None = None
    tool_ids: list[UUID] = []
    examples: list[Example] = []


class GetAction(Struct, frozen=True):
    workspace_id: UUID
    action_id: UUID


class FindAction(Struct, frozen=True):
    """By its name, or by its id in either spelling; without one, the workspace's first. Of two with one name, the older
    is found. Names are those of actions that are not disabled in production.
    """

    workspace_id: UUID
    name: str = ""


class PageActions(Struct, frozen=True):
    workspace_id: UUID
    app_id: UUID | None = None
    slice: Slice = Slice()


class ActionsOf(Struct, frozen=True):
    """Several by their ids; those that aren't there are left out."""

    workspace_id: UUID
    action_ids: list[UUID]


class UpdateAction(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    action_id: UUID
    name: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    description: str | UnsetType = UNSET
    system_message: str | UnsetType = UNSET
    model_id: UUID | UnsetType | None = UNSET
    parameters: Parameters | UnsetType = UNSET
    context_ids: list[UUID] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    tool_ids: list[UUID] | UnsetType = UNSET
    updated_by: UUID | None = None
    examples: list[Example] | UnsetType = UNSET


class Version(Struct, frozen=True):
    """`environments` are those it is deployed to, the last time at `deployed_at`."""

    id: UUID
    action_id: UUID
    version: int
    environments: list[str]
    made_by: UUID | None
    created_at: datetime
    deployed_at: datetime | None = None


class PageVersions(Struct, frozen=True):
    workspace_id: UUID
    action_id: UUID
    slice: Slice = Slice()


class DeployVersion(Struct, frozen=True):
    """Names the version by its id or by its `number`."""

    workspace_id: UUID
    action_id: UUID
    environment: str
    version_id: UUID | None = None
    number: int | None = None
    deployed_by: UUID | None = None


class DisableAction(Struct, frozen=True):
    """Nothing of the action runs in the environment until a version is deployed there. Without one: anywhere."""

    workspace_id: UUID
    action_id: UUID
    environment: str | None = None


CREATE = Rpc("rpc.runner.actions.create", CreateAction, Action)
GET = Rpc("rpc.runner.actions.get", GetAction, Action)
FIND = Rpc("rpc.runner.actions.find", FindAction, Action)
PAGE = Rpc("rpc.runner.actions.page", PageActions, Page[Action])
OF = Rpc("rpc.runner.actions.of", ActionsOf, list[Action])
UPDATE = Rpc("rpc.runner.actions.update", UpdateAction, Action)
DELETE = Rpc("rpc.runner.actions.delete", GetAction, Action)
VERSIONS = Rpc("rpc.runner.actions.versions", PageVersions, Page[Version])
DEPLOY = Rpc("rpc.runner.actions.deploy", DeployVersion, Version)
DISABLE = Rpc("rpc.runner.actions.disable", DisableAction, Action)
