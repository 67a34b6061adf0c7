"""A run's frames put in order: whatever the feed drops, doubles or turns round, each comes out once, in its place.

Pure; `follow.py` feeds it and asks for what it wants. A frame from the feed is taken only when it is the next one,
since nothing else says what came before it. An answer of the run's holder may also begin a later attempt.
"""

from collections import deque
from collections.abc import Iterable

from libs.contracts.feed import FEED, Frame, Replaced, Thinking, Token

# Bytes that one reader may hold, and a question is answered with at most; both as `weight` has it.
BUFFER = 640 << 10
ANSWER = 256 << 10
_OF_A_FRAME = 300


def weight(frame: Frame, size: int | None = None) -> int:
    """About what a frame takes in memory: small ones take more there than on the wire, where it has this size."""
    return (_size(frame) if size is None else size) + _OF_A_FRAME


def _size(frame: Frame) -> int:
    """Without packing it, where it is text and nothing more."""
    match frame.body:
        case Token(text, _, None) | Thinking(text) | Replaced(text):
            return len(text)
        case _:
            return len(FEED.pack(frame))


class Order:
    """What one reader has of a run: `attempt` and `after` are its place, counting what is ready to be taken."""

    def __init__(self, attempt: int = 1, after: int = 0) -> None:
        self.attempt, self.after = attempt, after
        self.ended = False
        self._ready: deque[tuple[Frame, int]] = deque()
        self._ahead: dict[tuple[int, int], tuple[Frame, int]] = {}
        self._held = 0
        self._missed = False

    @property
    def wants(self) -> bool:
        """Whether to ask for what follows this place. A slow reader first takes what it has."""
        return not self.ended and (bool(self._ahead and not self.full) or (self._missed and not self._ready))

    @property
    def full(self) -> bool:
        """Its reader has enough to take; what is ahead alone fills nothing, since it waits for what is missing."""
        return bool(self._ready) and self._held >= BUFFER

    def miss(self) -> None:
        """Something may have been sent that did not arrive."""
        self._missed = True

    def asked(self) -> None:
        """From here on the answer covers what was missed."""
        self._missed = False

    def heard(self, frame: Frame, size: int) -> None:
        """A frame from the feed, `size` bytes long. What is too much is let go, and asked for again."""
        size = weight(frame, size)
        if self.ended or (frame.attempt, frame.n) <= (self.attempt, self.after):
            return
        if self._held + size > BUFFER and self._held:
            self._missed = True
        elif frame.attempt == self.attempt and frame.n == self.after + 1:
            self._accept(frame, size)
            if self._ahead:
                self._close_up()
        elif (frame.attempt, frame.n) not in self._ahead:
            self._ahead[frame.attempt, frame.n] = frame, size
            self._held += size

    def told(self, frames: Iterable[Frame], *, ended: bool) -> None:
        """The answer to a question: what follows a place in the run, in order; `ended`: there will be no more."""
        for frame in frames:
            if self._follows(frame):
                if self.full:
                    self._missed = True
                    break
                self._accept(frame, weight(frame))
        self._close_up()
        if ended and not self._ahead and not self._missed:
            self.ended = True

    def take(self) -> Frame | None:
        """The next frame, if it is here."""
        if not self._ready:
            return None
        frame, size = self._ready.popleft()
        self._held -= size
        return frame

    def _follows(self, frame: Frame) -> bool:
        if self.ended:
            return False
        if frame.attempt == self.attempt:
            return frame.n == self.after + 1
        return frame.attempt > self.attempt and frame.n == 1

    def _accept(self, frame: Frame, size: int) -> None:
        self.attempt, self.after = frame.attempt, frame.n
        self.ended = frame.ends
        self._ready.append((frame, size))
        self._held += size

    def _close_up(self) -> None:
        """Take what was ahead and now is next; forget what has been overtaken."""
        while not self.ended and (found := self._ahead.pop((self.attempt, self.after + 1), None)):
            frame, size = found
            self._held -= size
            self._accept(frame, size)
        for place in [place for place in self._ahead if self.ended or place <= (self.attempt, self.after)]:
            self._held -= self._ahead.pop(place)[1]
