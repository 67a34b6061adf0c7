"""Chat completions, beyond what every voice that offers them takes."""

from typing import Any

from services.gateway.completions import wire


class ChatRequest(wire.ChatRequest, frozen=True, kw_only=True, omit_defaults=True):
    """What is not here (`store`, `service_tier`, `reasoning_effort`, …) is taken and ignored."""

    n: int | None = None
    modalities: list[str] | None = None
    functions: list[Any] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
