"""How long the caller of the request being handled still waits: no call made on its behalf waits longer.

Set where a request enters; lifted when it is answered, so that work which outlives its request is not bound by it.
"""

import asyncio
from contextvars import ContextVar

from libs.contracts.faults import Code, Fault


class Deadline:
    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        """`at`: the event loop's time."""
        self.at: float | None = at

    def lift(self) -> None:
        self.at = None


current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def remaining(timeout: float) -> float:
    """The seconds a nested call may take. Raises Fault TIMEOUT where the caller has already given up."""
    deadline = current.get()
    if deadline is None or deadline.at is None:
        return timeout
    left = deadline.at - asyncio.get_running_loop().time()
    if left <= 0:
        raise Fault(Code.TIMEOUT, "The time given for this request is over.")
    return min(timeout, left)
