"""A message to an agent: what was asked, as a run to start, and the finished run as an answer."""

from uuid import UUID

from msgspec import Struct

from libs.contracts import actions, ids, runs
from libs.contracts.faults import Code, Fault, not_found
from services.gateway import attachments
from services.gateway.attachments import File, Taken
from services.gateway.dialects.klisk import wire
from services.gateway.directory.callers import Caller
from services.gateway.http import inline, params

VOICE = "klisk"
_RESPONSE = "resp_"


class Asked(Struct, frozen=True):
    """`agent` is empty where the first one is meant, `previous` the run whose conversation this goes on with."""

    message: str
    agent: str = ""
    previous: UUID | None = None
    attachments: list[wire.Attachment] = []

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
    files = body.attachments or []
    return Asked(_message(body.message, files), agent or current, response(previous), files)


def said(body: wire.SocketMessage, agent: str, latest: UUID | None) -> Asked:
    """The same on a socket, which remembers its agent and its latest response. Raises as `asked` does."""
    switched = bool(body.agent_name and agent and body.agent_name != agent)
    previous = response(body.previous_response_id) or (None if switched else latest)
    files = body.attachments or []
    return Asked(_message(body.message, files), body.agent_name or agent, previous, files)


def _message(text: str | None, attachments: list[wire.Attachment]) -> str:
    """It may be empty where something is attached."""
    if (not text or not text.strip()) and not attachments:
        raise Fault(Code.INVALID, "Give a message or an attachment.", field="message")
    return text or ""


def files(given: list[wire.Attachment]) -> list[File]:
    """Raises Fault UNSUPPORTED, TOO_LARGE or INVALID, naming the file."""
    return [_file(number, attachment) for number, attachment in enumerate(given, 1)]


def _file(number: int, given: wire.Attachment) -> File:
    name = params.shown(given.name) or f"Attachment {number}"
    if given.mime_type.partition(";")[0].strip().lower() not in attachments.TYPES:
        raise attachments.unsupported(name)
    start = given.data.find(",") + 1 if given.data.startswith("data:") else 0
    if len(given.data) - start > attachments.MOST_BYTES * 4 // 3 + 4:
        raise attachments.too_large(name)
    try:
        return File(name, b"".join(inline.decoded(inline.File(name, given.data, start))))
    except Fault as fault:
        raise Fault(fault.code, f"{name} is no valid base64.", field=f"attachments[{number - 1}].data") from None


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


class Place(Struct, frozen=True):
    """Where a run takes place: its action, and the session whose next turn it is."""

    action_id: UUID
    session_id: UUID | None = None


def start(caller: Caller, asked: Asked, place: Place, taken: Taken, *, mode: runs.Mode) -> runs.StartRun:
    return runs.StartRun(
        workspace_id=caller.workspace_id,
        run_id=ids.new(),
        action_id=place.action_id,
        inputs="\n\n".join(filter(None, [asked.message, *taken.texts])),
        voice=VOICE,
        mode=mode,
        session_id=place.session_id,
        images=taken.images,
    )


def reply(run: runs.Run, state: wire.State) -> wire.ChatReply:
    return wire.ChatReply(response=run.output, state=state)


def cancelled(run: runs.Run) -> wire.Cancelled:
    return wire.Cancelled(response_id(run.id), run.status)
