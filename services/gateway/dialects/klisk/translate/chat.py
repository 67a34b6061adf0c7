"""A message to an agent: what was asked, as a run to start, and the finished run as an answer."""

from uuid import UUID

from msgspec import Struct

from libs.contracts import actions, ids, runs
from libs.contracts.faults import Code, Fault, not_found
from services.gateway.dialects.klisk import wire
from services.gateway.directory.callers import Caller
from services.gateway.http import params

VOICE = "klisk"
_RESPONSE = "resp_"


class Asked(Struct, frozen=True):
    """`agent` is empty where the first one is meant, `previous` the run whose conversation this goes on with."""

    message: str
    agent: str = ""
    previous: UUID | None = None

    @property
    def goes_on(self) -> bool:
        return self.previous is not None


def asked(body: wire.ChatRequest) -> Asked:
    """Another agent than the state's begins a conversation of its own.

    Raises Fault INVALID where nothing is asked, NOT_FOUND for an id that is none.
    """
    state = body.state or wire.State()
    agent, current = body.agent_name or "", state.current_agent_name or ""
    switched = bool(agent and current and agent != current)
    previous = body.previous_response_id or (None if switched else state.previous_response_id)
    return Asked(_message(body.message), agent or current, response(previous))


def said(body: wire.SocketMessage, agent: str, latest: UUID | None) -> Asked:
    """The same on a socket, which remembers its agent and its latest response. Raises as `asked` does."""
    switched = bool(body.agent_name and agent and body.agent_name != agent)
    previous = response(body.previous_response_id) or (None if switched else latest)
    return Asked(_message(body.message), body.agent_name or agent, previous)


def _message(text: str | None) -> str:
    if not text or not text.strip():
        raise Fault(Code.INVALID, "Give a message.", field="message")
    return text


def response(text: str | None) -> UUID | None:
    """The run that a response's id names. Raises Fault NOT_FOUND for what is none."""
    if not text:
        return None
    if (found := ids.parse(text)) is None:
        raise not_found("response", params.shown(text))
    return found


def response_id(run_id: UUID) -> str:
    return f"{_RESPONSE}{run_id}"


def no_agent(name: str, others: list[actions.Action]) -> Fault:
    """Raised where a name is no agent's: says whose there are."""
    if not others:
        return Fault(Code.INVALID, "There is no agent yet: make an action.")
    known = ", ".join(repr(params.shown(action.name)) for action in others)
    return Fault(Code.INVALID, f"There is no agent {params.shown(name)!r}: there are {known}.", field="agent_name")


def start(caller: Caller, asked: Asked, action_id: UUID, session_id: UUID | None, *, mode: runs.Mode) -> runs.StartRun:
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=action_id,
        inputs=asked.message,
        voice=VOICE,
        mode=mode,
        session_id=session_id,
    )


def reply(run: runs.Run, state: wire.State) -> wire.ChatReply:
    return wire.ChatReply(response=run.output, state=state)


def cancelled(run: runs.Run) -> wire.Cancelled:
    return wire.Cancelled(response_id(run.id), run.status)
