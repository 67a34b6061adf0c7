"""Klisk's JSON as Structs: what a client sends, the events it is told, and what its page and widget are made from."""

from typing import Any

from msgspec import Struct

JsonObject = dict[str, Any]


class Attachment(Struct, frozen=True):
    """`data` is base64, with or without the beginning of a data URL."""

    mime_type: str
    data: str
    name: str = ""


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client hands back unchanged. `signature` vouches for the history, which nobody but the client keeps."""

    current_agent_name: str | None = None
    conversation_history: list[JsonObject] | None = None
    was_litellm: bool | None = None
    previous_response_id: str | None = None
    signature: str | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    message: str | None = None
    stream: bool | None = None
    state: State | None = None
    agent_name: str | None = None
    attachments: list[Attachment] | None = None
    previous_response_id: str | None = None


class SocketMessage(Struct, frozen=True, kw_only=True):
    """A frame that a client sends: a message, or one of the words clear, restore and cancel in `type`."""

    type: str | None = None
    message: str | None = None
    agent_name: str | None = None
    attachments: list[Attachment] | None = None
    previous_response_id: str | None = None


class ChatReply(Struct, frozen=True, kw_only=True):
    response: str
    state: State
    done: bool = True


class Cancelled(Struct, frozen=True):
    """`status` is how the response stands once it was to end: it may have been over."""

    response_id: str
    status: str


class ErrorReply(Struct, frozen=True):
    error: str


class Token(Struct, frozen=True, tag="token"):
    data: str


class Thinking(Struct, frozen=True, tag="thinking"):
    data: str


class Called(Struct, frozen=True):
    """`arguments` is JSON as the model wrote it."""

    tool: str
    arguments: str
    status: str = "running"


class ToolCall(Struct, frozen=True, tag="tool_call"):
    data: Called


class Output(Struct, frozen=True):
    output: str


class ToolResult(Struct, frozen=True, tag="tool_result"):
    data: Output


class Done(Struct, frozen=True, tag="done"):
    data: str
    response_id: str


class Error(Struct, frozen=True, tag="error"):
    data: str


class AuthError(Struct, frozen=True, tag="auth_error"):
    data: str


Event = Token | Thinking | ToolCall | ToolResult | Done | Error | AuthError


class Chat(Struct, frozen=True, kw_only=True):
    enabled: bool = True
    title: str
    welcome_message: str = ""
    attachments: bool = True


class Widget(Struct, frozen=True, kw_only=True):
    enabled: bool = True
    color: str = "#2f5bea"
    position: str = "bottom-right"
    width: str = "400px"
    height: str = "600px"
    welcome_message: str = ""
    placeholder: str = "Type a message…"
    auto_open: bool = False
    user_message_color: str = ""
    header_color: str = ""
    bubble_icon: str = ""


class Api(Struct, frozen=True):
    cors_origins: tuple[str, ...] = ("*",)


class Deploy(Struct, frozen=True):
    chat: Chat
    widget: Widget = Widget()
    api: Api = Api()


class Info(Struct, frozen=True):
    """`agent` is null where the workspace has none yet."""

    name: str
    agent: str | None
    auth_required: bool
    deploy: Deploy
