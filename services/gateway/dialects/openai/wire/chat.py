"""Chat completions, beyond what every voice that offers them takes."""

from typing import Any

from services.gateway.completions import wire


class ChatRequest(wire.ChatRequest, frozen=True, kw_only=True, omit_defaults=True):
    user: str | None = None
    metadata: dict[str, Any] | None = None
