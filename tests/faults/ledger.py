"""The ledger: what the client asked for, what it was promised, and what it read; kept outside the engine.

The rule: an entry says only what a client can know. What the engine makes of it is read by `checks`.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    BLOCKING = "blocking"
    STREAMING = "streaming"
    ASYNC = "async"
    CANCELLED = "cancelled"
    DOCUMENT = "document"
    FEEDBACK = "feedback"
    AUTOMATION = "automation"


STREAMS = frozenset({Kind.STREAMING, Kind.CANCELLED})
RUNS = STREAMS | {Kind.BLOCKING, Kind.ASYNC}


@dataclass
class Entry:
    """`word` is in what was sent, and nowhere else, with so many characters of `padding` beside it. `guid` is what was
    accepted; `text` what was read of a run to its end; `failed` where that end was told as a failure.
    """

    kind: Kind
    word: str
    key: str
    padding: int = 0
    guid: str | None = None
    text: str = ""
    finished: bool = False
    failed: bool = False
    gave_up: str = ""


@dataclass
class Ledger:
    """`refusals` are answers other than 2xx by their status and path, `broken` counts connections that ended early."""

    entries: list[Entry] = field(default_factory=list)
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    broken: int = 0
    resumed: int = 0

    def of(self, *kinds: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind in kinds]
