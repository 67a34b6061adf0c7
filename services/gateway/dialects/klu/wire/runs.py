"""Running an action."""

from typing import Any, Literal

from msgspec import Struct, field

from services.gateway.dialects.klu.wire.pages import Flag


class Message(Struct, frozen=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


class RunAction(Struct, frozen=True, kw_only=True):
    """`agent` and `prompt` are what `action` and `input` were called before."""

    action: str | None = None
    input: str | dict[str, Any] | None = None
    streaming: Flag = False
    async_mode: Flag = False
    cache: Flag = False
    session: str | None = None
    metadata_filter: dict[str, Any] | None = None
    experiment: str | None = None
    environment: str | None = None
    messages: list[Message] | None = None
    force_action: str | None = None
    ext_user_id: str | int | None = field(default=None, name="extUserId")
    filter: str | None = None
    agent: str | None = None
    prompt: str | dict[str, Any] | None = None


class RunReply(Struct, frozen=True, kw_only=True):
    """Strict: an SDK raises at any other key."""

    msg: str
    streaming: bool
    data_guid: str
    feedback_url: str
    result_url: str | None = None
    streaming_url: str | None = None


class ContextReply(RunReply, frozen=True, kw_only=True):
    """Strict, too."""

    metadata: dict[str, Any]


class PageRunReply(RunReply, frozen=True, kw_only=True):
    """As the API page has it, which calls the streaming URL otherwise."""

    stream_url: str | None = None


class Result(Struct, frozen=True):
    msg: str
    status: str


class Token(Struct, frozen=True):
    token: str
