"""Events that an endpoint can subscribe to: by name, by prefix (`generation.*`) or all of them (`*`).

Owner: webhook_dispatcher. The names are the public ones (libs.contracts.public_events), not the engine's own subjects.
"""

from collections.abc import Sequence

from libs.contracts.faults import Code, Fault
from libs.contracts.public_events import NAMES, PATTERNS


def subscription(events: Sequence[str]) -> list[str]:
    """The list without repetitions, in its order. Raises Fault INVALID where it is empty or names no event of ours."""
    if not events:
        raise _invalid('Name at least one event, or ["*"] for all.')
    for event in events:
        if event not in PATTERNS:
            raise _invalid(f"{event[:100]!r} is no event. Events are {', '.join(sorted(NAMES))}, a prefix (x.*) or *.")
    return list(dict.fromkeys(events))


def _invalid(message: str) -> Fault:
    return Fault(Code.INVALID, message, field="events")
