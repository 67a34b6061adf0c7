"""A run that this process holds: what it was accepted as, what it has said so far, and how it is stopped."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct, field

from libs.contracts import runs
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Mode, Status, Thinking, Token
from services.runner.acceptance import Accepted
from services.runner.audience import Audience
from services.runner.frames import Recording
from services.runner.providers.call import Finished, Piece

# Characters. What a model says beyond it is no answer but an accident.
LONGEST = 16_000_000


def _now() -> datetime:
    return datetime.now(UTC)


def _future() -> "asyncio.Future[runs.Run]":
    return asyncio.get_running_loop().create_future()


class Live(Struct, eq=False, kw_only=True):
    """`followed`: somebody may be reading its feed; a run that nobody follows publishes nothing, since whoever begins
    to follow it asks for its frames first. `stored` counts its frames that have been written, and `may_have_parts` from
    before the first of them was. `audience` is None where the run goes on to its end whether or not it is read. `ended`
    is the run as it was recorded, once it is.
    """

    id: UUID
    workspace_id: UUID
    accepted: Accepted
    recording: Recording
    followed: bool
    messages: list[runs.Message]
    sources: list[runs.Source] = []
    calls: list[runs.ToolCall] = []
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

    def take(self, pieces: list[Piece]) -> None:
        """Raises Fault UPSTREAM for an answer without end."""
        for piece in pieces:
            match piece:
                case Token(text):
                    self._say(Token, text)
                    if self.first_token_ms is None:
                        self.first_token_ms = self.elapsed_ms()
                        self.recording.flush()
                case Thinking(text):
                    self._say(Thinking, text)
                case Finished():
                    self.finished = piece
                case _:
                    self.recording.add(piece)

    def _say(self, kind: type[Token] | type[Thinking], text: str) -> None:
        self.length += len(text)
        if self.length > LONGEST:
            raise Fault(Code.UPSTREAM, f"The model's answer is over {LONGEST:,} characters long.")
        self.recording.say(kind, text)

    def stop(self, status: Status, failure: Failure | None = None) -> None:
        """Ends the run with what it has said; one that is ending already ends as it is."""
        if self.ending or self.stopped is not None:
            return
        self.stopped = status, failure
        if self.task is not None:
            self.task.cancel()
