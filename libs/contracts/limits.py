"""Limits: how often a workspace may do something within a window of time, counted over all processes together.

Owner: gateway. Its processes count in Postgres together; the others hear of a limit that was reached.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


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


class LimitReached(Struct, frozen=True):
    """The first request of a window was refused; so are all further ones until it `ends`."""

    workspace_id: UUID
    kind: Kind
    limit: int
    plan: str
    begins: datetime
    ends: datetime


REACHED = Event("event.gateway.limits.reached", LimitReached)
