"""Limits: how often a workspace may do something within a window of time, counted over all processes together.

Owner: gateway. One of its processes counts. It gives the others permits, and they tell it once a second what they used.
A window is told by when it `begins`, in seconds since 1970.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event, Feed, Rpc


class Kind(StrEnum):
    """What is limited. Windows begin with the minute, the day and the month of UTC."""

    REQUESTS = "requests_per_minute"
    CHAT_MESSAGES = "chat_messages_per_day"
    API_CALLS = "api_calls_per_month"

    @property
    def spoken(self) -> str:
        """As people say it."""
        return _SPOKEN[self]


_SPOKEN = {
    Kind.REQUESTS: "requests a minute",
    Kind.CHAT_MESSAGES: "chat messages a day",
    Kind.API_CALLS: "requests with an API key a month",
}


class Take(Struct, frozen=True):
    """So many permits are `wanted` now; `process` has `used` some in the window, and has others `left`."""

    workspace_id: UUID
    kind: Kind
    begins: int
    limit: int
    process: str
    used: int
    left: int
    wanted: int


class Given(Struct, frozen=True):
    """`taken` are those of all processes together, these among them."""

    permits: int
    taken: int


class LookUp(Struct, frozen=True):
    """`process` asks what the others used; what it used it knows itself."""

    workspace_id: UUID
    kind: Kind
    begins: int
    process: str


class Used(Struct, frozen=True):
    """As they last told."""

    used: int


class Spent(Struct, frozen=True, array_like=True):
    """What a process used of a window since it began, and has left of what it was given."""

    workspace_id: UUID
    kind: Kind
    begins: int
    used: int
    left: int


class Spending(Struct, frozen=True):
    process: str
    windows: list[Spent]


class LimitReached(Struct, frozen=True):
    """The first request of a window was refused; so are all further ones until it `ends`."""

    workspace_id: UUID
    kind: Kind
    limit: int
    plan: str
    begins: datetime
    ends: datetime


TAKE = Rpc("rpc.gateway.limits.take", Take, Given)
OF = Rpc("rpc.gateway.limits.of", LookUp, Used)
FEED = Feed("feed.gateway.limits", Spending)
REACHED = Event("event.gateway.limits.reached", LimitReached)
