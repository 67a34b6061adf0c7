"""The feed of a run: its frames, as they are published while it goes on and asked for again at any time.

Owner: runner. Frames are numbered from 1 without gaps within an attempt. The run's holder keeps them while it goes on,
Postgres after. Blocking, streaming and polling are ways of reading them.
"""

from uuid import UUID

from msgspec import Raw, Struct, ValidationError, msgpack

from libs.contracts.faults import Failure
from libs.contracts.runs import Source, Status, ToolCall, Usage
from libs.contracts.subjects import Feed, Rpc


class Started(Struct, frozen=True, tag="started"):
    action_id: UUID
    session_id: UUID | None
    model: str
    provider: str
    cached_from: UUID | None = None


class Retrieved(Struct, frozen=True, tag="retrieved"):
    sources: list[Source]


class Thinking(Struct, frozen=True, tag="thinking"):
    text: str


class Alternative(Struct, frozen=True, array_like=True, gc=False):
    """A token that may stand at a place of the answer, with the natural logarithm of its probability. `utf8` are its
    bytes, where the provider told them: a token may be a part of a character.
    """

    token: str
    logprob: float
    utf8: bytes | None = None


class Scored(Struct, frozen=True, array_like=True):
    """A token of the answer as its model weighed it, beside the likeliest ones at its place."""

    chosen: Alternative
    likeliest: list[Alternative] = []


class Token(Struct, frozen=True, tag="token", omit_defaults=True):
    """The next piece of the answer: what came from the model since the frame before. `scored` are its tokens, where the
    run asks for their probabilities and the provider tells them.
    """

    text: str
    node: str | None = None
    scored: list[Scored] | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What the tool that the call `id` named answered, as the model is told it; where it `failed`, `output` says why.

    `ms` is how long it took, in milliseconds.
    """

    id: str
    name: str
    output: str
    failed: bool = False
    ms: float = 0.0


class Replaced(Struct, frozen=True, tag="replaced"):
    """The answer so far is `text` alone: the tokens before it are void, those after it go on from there."""

    text: str


class Restarted(Struct, frozen=True, tag="restarted"):
    """The first frame of a later attempt: the run begins anew, and what earlier attempts said is void."""


class Done(Struct, frozen=True, tag="done"):
    finish_reason: str
    usage: Usage
    latency_ms: float


class Failed(Struct, frozen=True, tag="failed"):
    failure: Failure


class Cancelled(Struct, frozen=True, tag="cancelled"):
    usage: Usage


class Unknown(Struct, frozen=True, tag="unknown"):
    """A frame of a kind that this version does not know: counted, and skipped."""


Body = (
    Started
    | Retrieved
    | Thinking
    | Token
    | ToolCall
    | ToolResult
    | Replaced
    | Restarted
    | Done
    | Failed
    | Cancelled
    | Unknown
)
TERMINAL = (Done, Failed, Cancelled)


class Frame(Struct, frozen=True, array_like=True):
    attempt: int
    n: int
    body: Body

    @property
    def ends(self) -> bool:
        return isinstance(self.body, TERMINAL)


class _Number(Struct, frozen=True, array_like=True):
    attempt: int
    n: int


class _Frames(Feed[Frame]):
    _number = msgpack.Decoder(_Number)

    def unpack(self, body: bytes) -> Frame:
        try:
            return super().unpack(body)
        except ValidationError:
            number = self._number.decode(body)
            return Frame(number.attempt, number.n, Unknown())


class Cursor(Struct, frozen=True):
    """A reader's place in a run: it has seen the frames of `attempt` up to number `after`, and all earlier attempts.

    A place past every frame asks for the status alone.
    """

    workspace_id: UUID
    run_id: UUID
    attempt: int = 1
    after: int = 0


class AskFrames(Struct, frozen=True):
    """All the cursors that a process wants to catch up on, in one question: each carries its workspace. `follower`
    follows these runs from now on.
    """

    cursors: list[Cursor]
    follower: str = ""


class Frames(Struct, frozen=True):
    """What follows a cursor; `found` is False for a run that the workspace does not have.

    `more`: the rest is too much for one answer. The run counts as going on until all of it was asked for.
    """

    run_id: UUID
    found: bool
    status: Status | None = None
    frames: list[Frame] = []
    more: bool = False


class _LooseFrames(Struct, frozen=True):
    run_id: UUID
    found: bool
    status: Status | None = None
    frames: list[Raw] = []
    more: bool = False


class _AskedFrames(Rpc[AskFrames, list[Frames]]):
    """An answer may hold frames of a kind that this version does not know; they are no reason to lose the others."""

    _loose = msgpack.Decoder(list[_LooseFrames])

    def unpack_reply(self, body: bytes) -> list[Frames]:
        try:
            return super().unpack_reply(body)
        except ValidationError:
            return [self._known(answer) for answer in self._loose.decode(body)]

    def _known(self, answer: _LooseFrames) -> Frames:
        return Frames(
            answer.run_id, answer.found, answer.status, [FEED.unpack(bytes(raw)) for raw in answer.frames], answer.more
        )


FRAMES = _AskedFrames("rpc.runner.runs.frames", AskFrames, list[Frames])
HELD = _AskedFrames("rpc.runner.runs.held", AskFrames, list[Frames])
FEED = _Frames("feed.runner.runs", Frame)
