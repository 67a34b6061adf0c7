"""Windows: the minute, the day or the month of UTC in which something is counted. Pure.

Times are in seconds since 1970.
"""

from datetime import UTC, datetime

from libs.contracts.limits import Kind

_MINUTE, _DAY = 60, 86_400
_LONGEST_MONTH = 31 * _DAY


def window(kind: Kind, now: float) -> tuple[int, int]:
    """When the window of this moment began, and when it ends."""
    match kind:
        case Kind.REQUESTS:
            begins = int(now) // _MINUTE * _MINUTE
            return begins, begins + _MINUTE
        case Kind.CHAT_MESSAGES:
            begins = int(now) // _DAY * _DAY
            return begins, begins + _DAY
        case Kind.API_CALLS:
            begins = _month(now)
            # Some day of the month after it.
            return begins, _month(begins + _LONGEST_MONTH)


def ends(kind: Kind, begins: int) -> int:
    return window(kind, begins)[1]


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _month(now: float) -> int:
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(first.timestamp())
