"""Calls: requests that came with an API key, in any voice. They are told of as numbers, and nothing of what they asked.

Owner: gateway.
"""

from datetime import date
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


class CallsCounted(Struct, frozen=True):
    """So many calls more on this UTC day, as one process of the gateway has counted since it last told."""

    workspace_id: UUID
    day: date
    calls: int


COUNTED = Event("event.gateway.calls.counted", CallsCounted)
