"""A run's frames while it goes on, and how they are stored when it has ended.

Text from the model waits until it is flushed: only then it becomes a frame and gets its number. Stored, the text
stands once, with the length of each of its frames and every frame that is no text: any of them can be made again.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct

from libs.contracts import feed
from libs.contracts.feed import Body, Frame, Replaced, Scored, Thinking, Token
from libs.contracts.runs import ToolCall

# Characters of one frame of text: a reader that is slow holds a few of them, and each whole.
LONGEST = 32_768


class Recording:
    """The frames of one attempt. `sent` counts those already published."""

    __slots__ = ("_kind", "_scored", "_text", "attempt", "frames", "sent")

    def __init__(self, attempt: int = 1) -> None:
        self.attempt = attempt
        self.frames: list[Frame] = []
        self.sent = 0
        self._text: list[str] = []
        self._scored: list[Scored] | None = None
        self._kind: type[Token] | type[Thinking] = Token

    @property
    def pending(self) -> bool:
        return bool(self._text)

    @property
    def unsent(self) -> bool:
        return self.sent < len(self.frames)

    def say(self, kind: type[Token] | type[Thinking], text: str, scored: list[Scored] | None = None) -> None:
        """Text that joins what waits to be flushed; of a token's, its probabilities as well."""
        if self._kind is not kind:
            self.flush()
            self._kind = kind
        self._text.append(text)
        if scored:
            self._scored = [*(self._scored or ()), *scored]

    def flush(self) -> None:
        if self._text:
            text = "".join(self._text)
            self._text.clear()
            for start in range(0, len(text), LONGEST):
                self._append(self._piece(text[start : start + LONGEST]))

    def _piece(self, text: str) -> Body:
        if self._kind is Thinking:
            return Thinking(text)
        scored, self._scored = self._scored, None
        return Token(text, scored=scored)

    def add(self, body: Body) -> None:
        """A frame of its own, after what waits."""
        self.flush()
        self._append(body)

    def after(self, cursor: feed.Cursor) -> list[Frame]:
        return following(self.frames, cursor)

    def _append(self, body: Body) -> None:
        self.frames.append(Frame(self.attempt, len(self.frames) + 1, body))


class Cut(Struct, frozen=True, array_like=True):
    """How output and thinking were cut. `others` are whole frames; all other numbers are tokens or thoughts.

    `thoughts` are the numbers of thinking frames; `lengths` are in characters, in the order of the frames. `closing` is
    the end of a run whose holder died: the one frame of the attempt after that of all others. `scored` are the
    probabilities of the tokens of a frame, by its number.
    """

    lengths: list[int]
    thoughts: list[int]
    others: list[Frame]
    closing: Frame | None = None
    scored: dict[int, list[Scored]] = {}


class Recorded(Struct, frozen=True):
    output: str
    thinking: str
    cut: bytes


_encoder = msgspec.msgpack.Encoder()
_cuts = msgspec.msgpack.Decoder(Cut)


def recorded(frames: Iterable[Frame], *, closing: Frame | None = None) -> Recorded:
    """The frames in the form in which they are stored. A token of a node is kept whole, and so is one that was
    replaced: neither is a part of the output.
    """
    frames = list(frames)
    replaced = max((frame.n for frame in frames if isinstance(frame.body, Replaced)), default=0)
    output: list[str] = []
    thinking: list[str] = []
    cut = Cut([], [], [], closing)
    for frame in frames:
        match frame.body:
            case Replaced(text) if frame.n == replaced:
                output.append(text)
                cut.others.append(frame)
            case Token(text, None, scored) if frame.n > replaced:
                output.append(text)
                cut.lengths.append(len(text))
                if scored:
                    cut.scored[frame.n] = scored
            case Thinking(text):
                thinking.append(text)
                cut.lengths.append(len(text))
                cut.thoughts.append(frame.n)
            case _:
                cut.others.append(frame)
    return Recorded("".join(output), "".join(thinking), _encoder.encode(cut))


def restored(stored: Recorded, attempt: int) -> list[Frame]:
    """The very frames that were recorded of a run which ended in this attempt."""
    cut = _cuts.decode(stored.cut)
    if cut.closing is None:
        return list(_restored(stored, cut, attempt))
    return [*_restored(stored, cut, attempt - 1), cut.closing]


def changed(cut: bytes, change: Callable[[Body], Body]) -> bytes:
    """The cut, with the frames in it that are no text as `change` has them."""
    kept = _cuts.decode(cut)
    others = [msgspec.structs.replace(frame, body=change(frame.body)) for frame in kept.others]
    return _encoder.encode(msgspec.structs.replace(kept, others=others))


def answered_straight(cut: bytes) -> bool:
    """Whether the run came to an answer, and called no tool on its way there."""
    kinds = {type(frame.body) for frame in _cuts.decode(cut).others}
    return feed.Done in kinds and ToolCall not in kinds


def _restored(stored: Recorded, cut: Cut, attempt: int) -> Iterator[Frame]:
    others = {frame.n: frame for frame in cut.others}
    thoughts = set(cut.thoughts)
    lengths = iter(cut.lengths)
    said = thought = 0
    for n in range(1, len(cut.lengths) + len(others) + 1):
        if n in others:
            if isinstance(body := others[n].body, Replaced):
                said = len(body.text)
            yield others[n]
        elif n in thoughts:
            start, thought = thought, thought + next(lengths)
            yield Frame(attempt, n, Thinking(stored.thinking[start:thought]))
        else:
            start, said = said, said + next(lengths)
            yield Frame(attempt, n, Token(stored.output[start:said], scored=cut.scored.get(n)))


def following(frames: list[Frame], cursor: feed.Cursor) -> list[Frame]:
    """What a reader at this place has not seen; all of it where it has only seen an earlier attempt."""
    return frames[bisect_right(frames, (cursor.attempt, cursor.after), key=_place) :]


def _place(frame: Frame) -> tuple[int, int]:
    return frame.attempt, frame.n
