"""The turns of a conversation: what a model is told, and the calls that it asks for."""

from typing import Literal

from msgspec import Struct


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """`arguments` is the JSON text as the model wrote it. `client`: the tool is the caller's own, and the call waits
    for its result.
    """

    id: str
    name: str
    arguments: str
    client: bool = False


class Image(Struct, frozen=True):
    """`content` is empty where a run is told: that there was an image is kept, the image is not."""

    name: str
    media_type: str
    content: bytes = b""


class Message(Struct, frozen=True, omit_defaults=True):
    """A turn. An assistant's may make `calls`; a tool's answers the call `call_id`. A user's may show `images`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: list[ToolCall] = []
    call_id: str = ""
    images: list[Image] = []
