"""A run that this process holds: what it was accepted as, what it has said so far, and how it is stopped."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import Struct, field

from libs.contracts import runs
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.feed import Replaced, Scored, Thinking, Token
from libs.contracts.runs import Message, Mode, Status, ToolCall
from services.runner.providers.call import Finished, Piece
from services.runner.runs.acceptance import Accepted
from services.runner.runs.audience import Audience
from services.runner.runs.frames import Recording
from services.runner.runs.rounds import Round
from services.runner.storable import storable

# Characters. What a model says beyond it is no answer but an accident.
LONGEST = 16_000_000
# What a token's probability, or an alternative's, counts for.
_OF_A_SCORE = 16


def _now() -> datetime:
    return datetime.now(UTC)


def _future() -> "asyncio.Future[runs.Run]":
    return asyncio.get_running_loop().create_future()


class Live(Struct, eq=False, kw_only=True):
    """`followed`: somebody may be reading its feed; a run that nobody follows publishes nothing, since whoever begins
    to follow it asks for its frames first. `stored` counts its frames that have been written, and `may_have_parts` from
    before the first of them was. `audience` is None where whoever asked for the run comes for it later. `ended`
    is the run as it was recorded, once it is. `messages` are those of the first of its `rounds`, `calls` those of the
    caller's own tools in the last.
    """

    id: UUID
    workspace_id: UUID
    accepted: Accepted
    recording: Recording
    followed: bool
    messages: list[runs.Message]
    sources: list[runs.Source] = []
    calls: list[runs.ToolCall] = []
    rounds: list[Round] = []
    cached_from: runs.Run | None = None
    cache_key: bytes | None = None
    finished: Finished | None = None
    created_at: datetime = field(default_factory=_now)
    began: float = field(default_factory=time.perf_counter)
    first_token_ms: float | None = None
    stored: int = 0
    may_have_parts: bool = False
    ending: bool = False
    stopped: tuple[Status, Failure | None] | None = None
    audience: Audience | None = None
    task: asyncio.Task[None] | None = None
    ended: asyncio.Future[runs.Run] = field(default_factory=_future)
    length: int = 0

    @classmethod
    def of(cls, accepted: Accepted, *, attempt: int = 1, created_at: datetime | None = None) -> "Live":
        """A later attempt may have followers of an earlier one."""
        request = accepted.request
        return cls(
            id=request.run_id,
            workspace_id=request.workspace_id,
            accepted=accepted,
            recording=Recording(attempt),
            followed=request.mode is Mode.STREAMING or attempt > 1,
            messages=accepted.messages,
            created_at=created_at or _now(),
        )

    def followed_by(self, follower: str) -> None:
        """`follower` is empty where nobody says who asks."""
        if follower and self.audience is not None:
            self.audience.join(follower)

    def elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.began) * 1000, 3)

    @property
    def said(self) -> str:
        """The answer as its readers have it."""
        self.recording.flush()
        text: list[str] = []
        for frame in self.recording.frames:
            match frame.body:
                case Token(token, None):
                    text.append(token)
                case Replaced(answer):
                    text = [answer]
                case _:
                    pass
        return "".join(text)

    def begin_round(self, messages: list[Message]) -> Round:
        self.rounds.append(Round(messages))
        return self.rounds[-1]

    def hear(self, pieces: list[Piece]) -> None:
        """What is of this round alone, and no frame. Raises Fault UPSTREAM for an answer without end."""
        self.rounds[-1].take(pieces)
        self._measure(sum(len(piece.text) for piece in pieces if isinstance(piece, Token | Thinking)))

    def take(self, pieces: list[Piece]) -> None:
        """Raises Fault UPSTREAM for an answer without end."""
        pieces = [self._marked(piece) if isinstance(piece, ToolCall) else piece for piece in pieces]
        self.rounds[-1].take(pieces)
        for piece in pieces:
            match piece:
                case Token(text, _, scored):
                    self._say(Token, text, scored)
                    if self.first_token_ms is None:
                        self.first_token_ms = self.elapsed_ms()
                        self.recording.flush()
                case Thinking(text):
                    self._say(Thinking, text)
                case Finished():
                    self.finished = piece
                case _:
                    self.recording.add(piece)

    def _marked(self, call: ToolCall) -> ToolCall:
        """As it can be stored, and with whose it is."""
        theirs = self.accepted.toolkit.theirs
        return msgspec.structs.replace(storable(call), client=True) if call.name in theirs else storable(call)

    def _say(self, kind: type[Token] | type[Thinking], text: str, scored: list[Scored] | None = None) -> None:
        self._measure(len(text))
        if scored:
            self._measure(_OF_A_SCORE * sum(1 + len(token.likeliest) for token in scored))
        self.recording.say(kind, text, scored)

    def _measure(self, length: int) -> None:
        self.length += length
        if self.length > LONGEST:
            raise Fault(Code.UPSTREAM, f"The model's answer is over {LONGEST:,} characters long.")

    def stop(self, status: Status, failure: Failure | None = None) -> None:
        """Ends the run with what it has said; one that is ending already ends as it is."""
        if self.ending or self.stopped is not None:
            return
        self.stopped = status, failure
        if self.task is not None:
            self.task.cancel()
