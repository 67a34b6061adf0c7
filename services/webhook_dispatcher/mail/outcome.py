"""Outcomes: what an attempt to send a mail came to, and what follows from it. One function decides.

Owner: webhook_dispatcher. What the server refuses for good (5xx) is not tried again, all else is.
"""

import random
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from services.webhook_dispatcher import schedule
from services.webhook_dispatcher.mail.message import Mail


class Answer(Struct, frozen=True):
    """`error` is None where the server took it. `final`: it will say the same again."""

    code: int | None = None
    error: str | None = None
    final: bool = False


class Outcome(Struct, frozen=True):
    """`retry_in` is in seconds, None where nothing follows."""

    mail: Mail
    at: datetime
    latency_ms: float
    code: int | None
    error: str | None
    retry_in: float | None

    @property
    def status(self) -> str:
        if self.error is None:
            return "sent"
        return "failed" if self.retry_in is None else "queued"


def decide(mail: Mail, answer: Answer, *, at: datetime, latency_ms: float, steps: Sequence[float]) -> Outcome:
    """`steps` are the schedule's, which is that of deliveries."""
    ends = answer.error is None or answer.final
    chance = random.random()  # noqa: S311 spreads
    retry_in = None if ends else schedule.delay_after(mail.number, steps=steps, chance=chance)
    return Outcome(mail, at, latency_ms, answer.code, answer.error, retry_in)
