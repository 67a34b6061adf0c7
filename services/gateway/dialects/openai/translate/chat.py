"""A chat completion's request."""

from services.gateway.completions import asked as shared
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.translate.starting import Asked


def asked(body: wire.chat.ChatRequest) -> Asked:
    """Raises Fault INVALID for what would be left out in silence."""
    shared.check(body)
    return Asked(
        turns=shared.messages(body),
        mode=shared.mode(body),
        parameters=shared.parameters(body),
        tools=shared.tools(body),
        tool_choice=shared.tool_choice(body),
        metadata=body.metadata or {},
        end_user=body.user or "",
    )
