"""The events of a response's stream. Each is named by its type, and numbered from 0 within the stream."""

from msgspec import Struct

from services.gateway.completions.wire import TokenLogprob
from services.gateway.dialects.openai.wire.items import Item, Part
from services.gateway.dialects.openai.wire.responses import Response


class Event(Struct, frozen=True):
    type: str
    sequence_number: int


class OfResponse(Event, frozen=True):
    """created, in_progress, completed, incomplete, failed."""

    response: Response


class OfItem(Event, frozen=True):
    """output_item.added, output_item.done."""

    output_index: int
    item: Item


class InItem(Event, frozen=True):
    item_id: str
    output_index: int


class OfPart(InItem, frozen=True):
    """content_part.added, content_part.done."""

    part: Part
    content_index: int = 0


class Delta(InItem, frozen=True):
    """output_text.delta; reasoning_text.delta, which says nothing of logprobs."""

    delta: str
    content_index: int = 0
    logprobs: list[TokenLogprob] = []


class TextDone(InItem, frozen=True):
    text: str
    content_index: int = 0
    logprobs: list[TokenLogprob] = []


class ArgumentsDelta(InItem, frozen=True):
    delta: str


class ArgumentsDone(InItem, frozen=True):
    name: str
    arguments: str


class Error(Event, frozen=True):
    """The stream broke off, and nothing is known of the response's end."""

    code: str
    message: str
    param: str | None
