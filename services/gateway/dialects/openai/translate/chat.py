"""A chat completion's request."""

from libs.contracts.faults import Code, Fault
from services.gateway.completions import asked as shared
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.translate.starting import Asked


def asked(body: wire.chat.ChatRequest) -> Asked:
    """Raises Fault INVALID for what would be left out in silence."""
    _refuse(body)
    return Asked(
        turns=shared.messages(body),
        mode=shared.mode(body),
        parameters=shared.parameters(body),
        tools=shared.tools(body),
        tool_choice=shared.tool_choice(body),
        metadata=body.metadata or {},
        end_user=body.user or "",
    )


def _refuse(body: wire.chat.ChatRequest) -> None:
    if not body.messages:
        raise Fault(Code.INVALID, "Give a message.", field="messages")
    if body.n not in (None, 1):
        raise Fault(Code.INVALID, "One answer is given to a request: leave n out, or ask several times.", field="n")
    if body.modalities not in (None, ["text"]):
        raise Fault(Code.INVALID, "An answer is text here.", field="modalities")
    if body.functions:
        raise Fault(Code.INVALID, "Functions are offered as tools now.", field="functions")
