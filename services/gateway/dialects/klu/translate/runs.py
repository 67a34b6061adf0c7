"""Running an action: what was asked as a run to start, and a run as the three answers Klu gives."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import ids, runs, search, sessions
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.dialects.klu.translate.documents import filtered
from services.gateway.directory.callers import Caller

VOICE = "klu"
# From the answer with the address of the stream until that is asked for.
UNFOLLOWED_SECONDS = 60.0
_PENDING = "PENDING"
_STATUS = {
    runs.Status.QUEUED: _PENDING,
    runs.Status.RUNNING: _PENDING,
    runs.Status.SUCCEEDED: "SUCCESS",
    runs.Status.FAILED: "FAILURE",
    runs.Status.CANCELLED: "FAILURE",
}
# Old clients take an empty `msg` for a failure.
_STREAMING = "Generation started: read it from the streaming URL."
_UNNAMED = (
    "This version of the SDK (klu 0.1.80) does not tell which action to run: give `session`, a session made for the "
    "action (sessions.create(action)), or use klu 0.1.70."
)
_ACCEPTED = "Generation accepted: ask the result URL for it."


class Links(Struct, frozen=True):
    """Absolute addresses of one run."""

    feedback: str
    result: str
    stream: str


def start(caller: Caller, body: wire.runs.RunAction) -> runs.StartRun:
    mode = _mode(body)
    experiment = values.reference(body.experiment, "experiment")
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=_action(body, in_experiment=experiment is not None),
        inputs=_inputs(body),
        voice=VOICE,
        mode=mode,
        session_id=values.reference(body.session, "session"),
        messages=[runs.Message(message.role, message.content) for message in body.messages or []],
        conditions=_conditions(filtered(body.metadata_filter or {}, body.filter)),
        cache=values.flag(body.cache, "cache"),
        experiment=values.spelled(experiment),
        forced=bool(experiment and body.force_action),
        environment=body.environment or None,
        end_user=values.end_user(body.ext_user_id),
        unfollowed_seconds=UNFOLLOWED_SECONDS if mode is runs.Mode.STREAMING else None,
    )


def session_of_unnamed(caller: Caller, body: wire.runs.RunAction) -> sessions.GetSession | None:
    """The session of a run that names no action; None where it does. Raises Fault INVALID where it names neither."""
    if body.action or body.agent:
        return None
    session = values.reference(body.session, "session")
    if session is None:
        raise Fault(Code.INVALID, _UNNAMED, field="session")
    return sessions.GetSession(caller.workspace_id, session)


def action_of(session: sessions.Session) -> str:
    if session.action_id is None:
        raise Fault(Code.INVALID, f"The session belongs to no action. {_UNNAMED}", field="session")
    return str(session.action_id)


def _action(body: wire.runs.RunAction, *, in_experiment: bool) -> UUID:
    """An experiment chooses among its own: it needs none named, and can be made to take one."""
    if not in_experiment:
        return values.required(body.action or body.agent, "action")
    if body.force_action:
        return values.required(body.force_action, "force_action")
    return values.reference(body.action or body.agent, "action") or ids.NONE


def _inputs(body: wire.runs.RunAction) -> str | dict[str, Any]:
    given = body.input if body.input is not None else body.prompt
    if given is None and not body.messages:
        raise Fault(Code.INVALID, "This field is required.", field="input")
    return "" if given is None else given


def _mode(body: wire.runs.RunAction) -> runs.Mode:
    """A run asked for as both can be read as both: it goes on without a reader."""
    streaming = values.flag(body.streaming, "streaming")
    if values.flag(body.async_mode, "async_mode"):
        return runs.Mode.ASYNC
    return runs.Mode.STREAMING if streaming else runs.Mode.BLOCKING


def _conditions(filter: dict[str, Any]) -> dict[str, Any] | None:
    if not filter:
        return None
    search.conditions(filter)
    return filter


def reply(run: runs.Run, links: Links, streaming: bool) -> wire.runs.RunReply:
    """`streaming`: the client asked to read it from a stream; one that resumes it without has waited for its end."""
    whole = run.mode is not runs.Mode.ASYNC and not streaming
    return wire.runs.RunReply(
        msg=run.output if whole else _STREAMING if streaming else _ACCEPTED,
        streaming=streaming,
        data_guid=str(run.id),
        feedback_url=links.feedback,
        result_url=links.result if run.mode is runs.Mode.ASYNC else None,
        streaming_url=links.stream if streaming else None,
    )


def page_reply(reply: wire.runs.RunReply) -> wire.runs.PageRunReply:
    """The same with the API page's name of the streaming URL beside the SDKs'."""
    return wire.runs.PageRunReply(
        msg=reply.msg,
        streaming=reply.streaming,
        data_guid=reply.data_guid,
        feedback_url=reply.feedback_url,
        result_url=reply.result_url,
        streaming_url=reply.streaming_url,
        stream_url=reply.streaming_url,
    )


def result(run: runs.Run) -> wire.runs.Result:
    match run.status:
        case runs.Status.SUCCEEDED:
            msg = run.output
        case runs.Status.FAILED:
            msg = run.failure.message if run.failure else "The generation failed."
        case runs.Status.CANCELLED:
            msg = "The generation was cancelled."
        case _:
            msg = "The generation is still under way."
    return wire.runs.Result(msg, _STATUS[run.status])
