"""Outcomes: what an attempt came to, and what follows from it. One function decides.

Owner: webhook_dispatcher. 2xx is success, everything else is failure; a redirect is not followed.
"""

import random
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts.deliveries import Attempt
from services.webhook_dispatcher import schedule

_GONE = 410
_BUSY = (429, 503)


class Outcome(Struct, frozen=True):
    """`retry_in` is in seconds, None when nothing follows."""

    delivery_id: UUID
    endpoint_id: UUID
    attempt: Attempt
    retry_in: float | None

    @property
    def delivered(self) -> bool:
        return succeeded(self.attempt)

    @property
    def gone(self) -> bool:
        """The receiver wants nothing more, ever."""
        return self.attempt.status_code == _GONE


def decide(
    delivery_id: UUID, endpoint_id: UUID, attempt: Attempt, *, steps: Sequence[float], wants: str | None = None
) -> Outcome:
    """`steps` are the schedule's, `wants` is the Retry-After header of the answer."""
    ends = succeeded(attempt) or attempt.status_code == _GONE
    return Outcome(delivery_id, endpoint_id, attempt, None if ends else _retry_in(attempt, steps, wants))


def succeeded(attempt: Attempt) -> bool:
    return attempt.status_code is not None and 200 <= attempt.status_code < 300


def _retry_in(attempt: Attempt, steps: Sequence[float], wants: str | None) -> float | None:
    heeded = wants if attempt.status_code in _BUSY else None
    asked = schedule.retry_after(heeded, now=attempt.at)
    return schedule.delay_after(attempt.number, steps=steps, asked=asked, chance=random.random())  # noqa: S311 spreads
