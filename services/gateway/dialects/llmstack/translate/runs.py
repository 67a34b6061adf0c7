"""Running an app: what was asked as a run to start, and a run as LLMStack's reply."""

from uuid import UUID

from libs.contracts import ids, runs
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.llmstack import wire
from services.gateway.directory.callers import Caller
from services.gateway.http import params

VOICE = "llmstack"
_LONGEST = 200


def start(caller: Caller, app: str, session: str | None, body: wire.RunApp) -> runs.StartRun:
    """`app` is the id of an app or of an action, `session` what the client calls its session, if it does."""
    session_id, name = _session(caller.workspace_id, session)
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=params.guid(app, "app", field="app"),
        inputs=body.input,
        voice=VOICE,
        mode=runs.Mode.STREAMING if body.stream else runs.Mode.BLOCKING,
        session_id=session_id,
        new_session=name,
    )


def _session(workspace_id: UUID, text: str | None) -> tuple[UUID, str]:
    """The session's id, and what it is called where it is new. A name that is no id stands for one."""
    if not text:
        return ids.new(), ""
    if (id := ids.parse(text)) is not None:
        return id, ""
    if len(text) > _LONGEST or not text.isprintable():
        raise Fault(
            Code.INVALID, f"A session is called by {_LONGEST} printable characters at most.", field="session_id"
        )
    return ids.named(workspace_id, text), text


def reply(run: runs.Run, session: str | None) -> wire.RunReply:
    return wire.RunReply(_told(run, session), run.output, str(run.id))


def opening(run: runs.Run, session: str | None) -> wire.Opening:
    return wire.Opening(_told(run, session), str(run.id))


def _told(run: runs.Run, session: str | None) -> wire.Session:
    """As the client called it."""
    own = None if run.session_id is None else str(run.session_id)
    return wire.Session(session or own)
