"""Places: how far a reader has seen a run.

Shared by every voice. An event's id is the place of its frame, so that a client resumes after it.
"""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.contracts import feed, ids
from libs.contracts.faults import Code, Fault, not_found
from services.gateway.http import params
from services.gateway.http.sse import Event


class Place(Struct, frozen=True):
    """A reader has seen the run up to frame `n` of `attempt`: `<run>-<n>`, or `<run>-<attempt>.<n>` after a restart."""

    run_id: UUID
    attempt: int = 1
    n: int = 0

    @classmethod
    def of(cls, text: str) -> "Place | None":
        """None where the text is no event's id."""
        run, _, number = text.rpartition("-")
        attempt, _, n = number.rpartition(".")
        run_id, parts = ids.parse(run), (attempt or "1", n)
        if run_id is None or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            return None
        return cls(run_id, int(parts[0]), int(parts[1]))

    @property
    def number(self) -> str:
        return str(self.n) if self.attempt == 1 else f"{self.attempt}.{self.n}"

    def __str__(self) -> str:
        return f"{self.run_id}-{self.number}"

    def follows(self, other: "Place") -> bool:
        return (self.attempt, self.n) > (other.attempt, other.n)

    def cursor(self, workspace_id: UUID) -> feed.Cursor:
        return feed.Cursor(workspace_id, self.run_id, self.attempt, self.n)


def placed(events: Sequence[Event], place: Place, *, before: Place | None = None) -> list[Event]:
    """The events of one frame: the last one carries its place, and those before it that of what was told `before`."""
    if len(events) < 2:
        return [_at(event, str(place)) for event in events]
    earlier = "" if before is None else str(before)
    return [*(_at(event, earlier) for event in events[:-1]), _at(events[-1], str(place))]


def _at(event: Event, id: str) -> Event:
    return Event(event.data, id, event.name)


def resumed(request: web.Request, run_id: UUID | None = None) -> Place | None:
    """The place that `Last-Event-ID` or `?after=` names: an event's id, or its bare number where the run is known.

    Raises Fault INVALID for what is no place, NOT_FOUND for a place in another run than `run_id`.
    """
    text = (request.headers.get("Last-Event-ID") or request.query.get("after") or "").strip()
    if not text:
        return None
    place = Place.of(text if run_id is None or "-" in text else f"{run_id}-{text}")
    if place is None:
        raise Fault(Code.INVALID, f"{params.shown(text)!r} is no event's id.", field="Last-Event-ID")
    if run_id is not None and place.run_id != run_id:
        raise not_found("run", place.run_id)
    return place
