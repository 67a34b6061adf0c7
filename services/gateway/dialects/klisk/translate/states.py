"""The state that a client holds between two messages: where the conversation stands, and what was said so far.

The engine remembers by the response's id alone; the history is the client's to read. It is signed, so that one that
was edited, or is another server's, is refused instead of being passed over in silence.
"""

import hashlib
from uuid import UUID

import msgspec

from libs.contracts import runs
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klisk import wire
from services.gateway.dialects.klisk.translate import chat

_encoder = msgspec.json.Encoder(order="deterministic")


def of(run: runs.Run, agent: str, message: str, before: wire.State | None = None) -> wire.State:
    """The state after a run, not signed yet. `before` is what its request came with, beside the message."""
    history = (before and before.conversation_history) or []
    return wire.State(
        current_agent_name=agent,
        conversation_history=[*history, _said(message), _answered(run)],
        was_litellm=False,
        previous_response_id=chat.response_id(run.id),
    )


def _said(message: str) -> wire.JsonObject:
    return {"role": "user", "content": message}


def _answered(run: runs.Run) -> wire.JsonObject:
    content = [{"type": "output_text", "text": run.output, "annotations": []}]
    return {"id": f"msg_{run.id}", "type": "message", "role": "assistant", "status": "completed", "content": content}


def needs_signature(state: wire.State) -> bool:
    """What names a response or an agent only, gives no more right than naming it does."""
    return bool(state.conversation_history)


def digest(workspace_id: UUID, state: wire.State) -> bytes:
    """What a signature vouches for."""
    signed = (str(workspace_id), state.current_agent_name, state.previous_response_id, state.conversation_history)
    return hashlib.sha256(_encoder.encode(signed)).digest()


def unsigned() -> Fault:
    return Fault(
        Code.INVALID,
        "This history was not signed here for this workspace, or was edited: send the state as you received it, or"
        " its previous_response_id alone.",
        field="state",
    )
