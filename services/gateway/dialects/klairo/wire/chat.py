"""Chat: a message to Aria, her reply, and the events of one that is streamed."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.gateway.dialects.klairo.wire.errors import Error


class ChatRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`action` is taken, and means nothing."""

    message: str
    conversation_id: str | None = None
    context: dict[str, Any] | None = None
    stream: bool | None = None
    action: str | None = None


class Usage(Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatReply(Struct, frozen=True, kw_only=True):
    """`conversation_id` is null where the run belongs to none: one that was resumed may be any voice's."""

    conversation_id: str | None
    message_id: str
    role: str = "assistant"
    content: str
    created_at: datetime
    usage: Usage


class Token(Struct, frozen=True, tag="token"):
    content: str


class Done(ChatReply, frozen=True, kw_only=True, tag="done"):
    pass


class Failed(Struct, frozen=True, tag="error"):
    error: Error


Event = Token | Done | Failed
