"""The schedule of a delivery: at once, then after 5 minutes, 30 minutes, 2 hours and 8 hours, or as the setting says.

Owner: webhook_dispatcher. Pure: it is given the time and the chance, and sleeps for nobody.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

STEPS = (300.0, 1800.0, 7200.0, 28800.0)
JITTER = 0.1


def parse_steps(text: str) -> tuple[float, ...]:
    """`300,1800`: the seconds before each further attempt. Raises ValueError."""
    try:
        steps = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        steps = (0.0,)
    if not all(0 < step < float("inf") for step in steps):
        raise ValueError(f"it is {text!r}: expected seconds above 0 with commas between them, or nothing")
    return steps


def delay_after(
    attempts: int, *, steps: Sequence[float] = STEPS, asked: float | None = None, chance: float = 0.0
) -> float | None:
    """Seconds from the attempt that was number `attempts` to the next; None when the schedule is used up.

    `asked` is what the receiver asked us to wait, kept within one and two times the step. `chance` (0 to 1) places
    the delay within the added jitter, so that what failed together does not come back together.
    """
    if attempts > len(steps):
        return None
    step = steps[attempts - 1]
    if asked is not None:
        return min(max(asked, step), 2 * step)
    return step * (1 + JITTER * chance)


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date (RFC 9110, section 10.2.3)."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
