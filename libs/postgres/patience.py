"""Patience: work that goes on for ever, turn after turn at its own pace, and waits while the database is away.

The rule: that it waits is said once, until a turn succeeds.
"""

import logging
from collections.abc import Awaitable, Callable

from libs.contracts.faults import Fault

log = logging.getLogger(__name__)

Turn = Callable[[], Awaitable[object]]


async def for_ever(turn: Turn, rest: Turn, *, waits: str) -> None:
    """`turn` and `rest` by turns; `waits` is the sentence about a turn that raised a Fault."""
    waiting = False
    while True:
        try:
            await turn()
            waiting = False
        except Fault as fault:
            if not waiting:
                log.warning("%s: %s", waits, fault.message)
            waiting = True
        await rest()
