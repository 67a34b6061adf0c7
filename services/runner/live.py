"""A run that this process holds: what it was accepted as, what it has said so far, and how it is stopped."""

import asyncio
import time
from datetime import UTC, datetime

from libs.contracts import runs
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Status, Thinking, Token
from services.runner.acceptance import Accepted
from services.runner.frames import Recording
from services.runner.providers.call import Finished, Piece

# Characters. What a model says beyond it is no answer but an accident.
LONGEST = 16_000_000


class Live:
    """`followed`: somebody may be reading its feed; a run that nobody follows publishes nothing, since whoever begins
    to follow it asks for its frames first. `stored` counts its frames that have been written. `ended` is the run as it
    was recorded, once it is.
    """

    def __init__(self, accepted: Accepted, *, attempt: int = 1) -> None:
        request = accepted.request
        self.accepted, self.id, self.workspace_id = accepted, request.run_id, request.workspace_id
        self.recording = Recording(attempt)
        self.followed = request.mode is runs.Mode.STREAMING
        self.messages = accepted.messages
        self.sources: list[runs.Source] = []
        self.cached_from: runs.Run | None = None
        self.cache_key: bytes | None = None
        self.finished: Finished | None = None
        self.created_at = datetime.now(UTC)
        self.first_token_ms: float | None = None
        self.stored = 0
        self.ending = False
        self.ended: asyncio.Future[runs.Run] = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self._length = 0
        self._task: asyncio.Task[None] | None = None
        self._stop: tuple[Status, Failure | None] | None = None

    def elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 3)

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
        self._length += len(text)
        if self._length > LONGEST:
            raise Fault(Code.UPSTREAM, f"The model's answer is over {LONGEST:,} characters long.")
        self.recording.say(kind, text)

    def owned_by(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    def stop(self, status: Status, failure: Failure | None = None) -> None:
        """Ends the run with what it has said; one that is ending already ends as it is."""
        if self.ending or self._stop is not None:
            return
        self._stop = status, failure
        if self._task is not None:
            self._task.cancel()

    @property
    def stopped(self) -> tuple[Status, Failure | None] | None:
        return self._stop
