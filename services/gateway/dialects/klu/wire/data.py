"""Data points: the runs as Klu shows them. The API page says prompt and completion, the SDKs input and output."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.gateway.dialects.klu.wire.feedback import Feedback
from services.gateway.dialects.klu.wire.runs import Message


class CreateData(Struct, frozen=True, kw_only=True):
    """A data point of what ran elsewhere. The JavaScript SDK knows `actionGuid` and `sessionGuid`, and sends these."""

    action: str | None = None
    input: str | dict[str, Any] | None = None
    output: str | None = None
    session: str | None = None
    full_prompt_sent: str | list[Message] | None = None
    system_message: str | None = None
    model: str | None = None
    model_provider: str | None = None
    latency: float | None = None
    num_output_tokens: int | None = None
    num_input_tokens: int | None = None
    meta_data: dict[str, Any] | None = None


class UpdateData(CreateData, frozen=True, kw_only=True):
    """What is missing or null stays as it is. A `type` makes it feedback."""

    type: str | None = None
    app: str | None = None
    raw_llm_response: Any = None
    prompt_template: str | None = None


class DataPoint(Struct, frozen=True, kw_only=True):
    """`latency` is in milliseconds."""

    guid: str
    action: str | None
    action_guid: str | None
    session: str | None
    input: str | dict[str, Any]
    prompt: str
    full_prompt_sent: list[Message]
    system_message: str | None
    output: str
    completion: str
    model: str
    model_provider: str
    latency: int | None
    num_input_tokens: int
    num_output_tokens: int
    metadata: dict[str, Any]
    meta_data: dict[str, Any]
    feedback: list[Feedback]
    created_at: datetime
    updated_at: datetime
