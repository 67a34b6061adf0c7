"""Actions and their model configuration."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from services.gateway.completions.wire import ChatRequest
from services.gateway.dialects.klu.wire.runs import Message

Kind = Literal["prompt", "chat"]


class CreateAction(Struct, frozen=True, kw_only=True):
    name: str
    prompt: str | list[Message]
    app: str
    model: str | None = None
    action_type: Kind | None = None
    description: str | None = None
    system_message: str | None = None
    model_config: dict[str, Any] | None = None
    meta_data: dict[str, Any] | None = None


class UpdateAction(Struct, frozen=True, kw_only=True):
    """What is missing or null stays as it is."""

    name: str | None = None
    prompt: str | list[Message] | None = None
    model: str | None = None
    action_type: Kind | None = None
    description: str | None = None
    system_message: str | None = None
    model_config: dict[str, Any] | None = None
    meta_data: dict[str, Any] | None = None


class SetContext(Struct, frozen=True):
    context: list[str]


class Deploy(Struct, frozen=True, kw_only=True):
    """`version` is a version's guid or its number."""

    version: str | int
    environment: str | None = None


class Disable(Struct, frozen=True, kw_only=True):
    environment: str | None = None


class Playground(Struct, frozen=True, kw_only=True):
    """The Python SDK says `modelguid`, `toolguids` and `indexguids`, the JavaScript one `modelId` and so on."""

    prompt: str
    values: str | dict[str, Any] | None = None
    modelguid: str | None = None
    model_id: str | None = field(default=None, name="modelId")
    toolguids: list[str] | None = None
    tool_ids: list[str] | None = field(default=None, name="toolIds")
    indexguids: list[str] | None = None
    index_ids: list[str] | None = field(default=None, name="indexIds")
    model_config: dict[str, Any] | None = field(default=None, name="modelConfig")


class GatewayHeaders(Struct, frozen=True):
    authorization: str = field(name="Authorization")


class GatewayPayload(ChatRequest, frozen=True, kw_only=True, omit_defaults=True):
    """A chat completion to ask for, with the right to it."""

    headers: GatewayHeaders


class Version(Struct, frozen=True, kw_only=True):
    """`environment` names all that it is deployed to."""

    guid: str
    version: int
    environment: str | None
    environments: list[str]
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class Deployed(Version, frozen=True, kw_only=True):
    message: str


class Disabled(Struct, frozen=True):
    guid: str
    message: str


class Action(Struct, frozen=True, kw_only=True):
    """`prompt` is a list of messages where it was given with examples."""

    guid: str
    name: str
    app: str
    model: str | None
    action_type: str
    prompt: str | list[Message]
    system_message: str
    description: str
    model_config: dict[str, Any]
    meta_data: dict[str, Any]
    version: int
    version_guid: str
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
