"""A message to Aria as a run to start, and the finished run as her reply."""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import ids, runs
from libs.contracts.faults import Code, Fault
from services.gateway.contacts.store import Contact
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.translate import contacts
from services.gateway.directory.callers import Caller
from services.gateway.directory.clocks import Clock
from services.gateway.http import params

_CONTACT_ID = "contact_id"
CONTACT_FIELD = f"context.{_CONTACT_ID}"
_TODAY = "Today is {0:%A}, {0:%Y-%m-%d} ({1})."
_KNOWN = "What is known beside this conversation, as JSON:\n"


class Asked(Struct, frozen=True, kw_only=True):
    """`conversation_id` is None where a new one begins, `contact_id` where nobody is spoken of."""

    message: str
    mode: runs.Mode
    context: dict[str, Any]
    conversation_id: UUID | None
    contact_id: UUID | None


def asked(body: wire.chat.ChatRequest) -> Asked:
    """Raises Fault INVALID where nothing is said, NOT_FOUND for an id that is none."""
    if not body.message.strip():
        raise Fault(Code.INVALID, "Give a message.", field="message")
    conversation, context = body.conversation_id, body.context or {}
    return Asked(
        message=body.message,
        mode=runs.Mode.STREAMING if body.stream else runs.Mode.BLOCKING,
        context=context,
        conversation_id=params.guid(conversation, "conversation", field="conversation_id") if conversation else None,
        contact_id=_contact_id(context.get(_CONTACT_ID)),
    )


def _contact_id(given: Any) -> UUID | None:
    if given is None:
        return None
    if not isinstance(given, str):
        raise Fault(Code.INVALID, "Expected a contact's id.", field=CONTACT_FIELD)
    return params.guid(given, "contact", field=CONTACT_FIELD)


class Known(Struct, frozen=True):
    """What Aria is told of with a message: when it is, and who is spoken of."""

    now: Clock
    contact: Contact | None = None


def start(caller: Caller, asked: Asked, aria: UUID, known: Known) -> runs.StartRun:
    """`aria` is the app that answers. What else the workspace has she looks up."""
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=aria,
        inputs=asked.message,
        messages=[runs.Message("system", _told(asked.context, known))],
        voice=runs.ARIA,
        mode=asked.mode,
        session_id=asked.conversation_id or ids.new(),
        new_session=None if asked.conversation_id else "",
        informed=True,
    )


def _told(context: dict[str, Any], known: Known) -> str:
    """For this turn alone: a system message is not remembered."""
    today = _TODAY.format(known.now.today, known.now.timezone)
    beside = context if known.contact is None else context | {"contact": contacts.contact(known.contact)}
    return f"{today}\n\n{_KNOWN}{msgspec.json.encode(beside).decode()}" if beside else today


def conversation(session_id: UUID) -> str:
    return ids.crockford("conv", session_id)


def reply(run: runs.Run) -> wire.chat.ChatReply:
    return wire.chat.ChatReply(**_reply(run))


def done(run: runs.Run) -> wire.chat.Done:
    return wire.chat.Done(**_reply(run))


def _reply(run: runs.Run) -> dict[str, Any]:
    prompt, completion = run.usage.prompt_tokens, run.usage.completion_tokens
    return {
        "conversation_id": None if run.session_id is None else conversation(run.session_id),
        "message_id": ids.crockford("msg", run.id),
        "content": run.output,
        "created_at": run.finished_at or run.created_at,
        "usage": wire.chat.Usage(prompt, completion, prompt + completion),
    }
