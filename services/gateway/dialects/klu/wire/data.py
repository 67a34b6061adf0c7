"""Data points: the runs as Klu shows them. The API page says prompt and completion, the SDKs input and output."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.gateway.dialects.klu.wire.feedback import Feedback
from services.gateway.dialects.klu.wire.runs import Message


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
