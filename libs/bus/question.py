"""A question on its way: asked once, or again under the same token after each silence; the first answer counts.

Owner: the connection that asks. The rule: that nobody listens now is no answer while an earlier asking may get one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from nats.aio.msg import Msg

from libs.contracts.faults import Code, Fault

Ask = Callable[[], Coroutine[Any, Any, None]]

# Seconds of silence before each further asking, which may come to another process. By the last one NATS has thrown out
# a process that hangs.
PAUSES = (1.0, 1.5, 2.5, 4.0)


class Question:
    """`open` counts the askings that may still be answered, `repeats` those after the first."""

    def __init__(self, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Msg] = self._loop.create_future()
        self.open, self.repeats = 1, 0
        self._expiry = self._loop.call_later(timeout, self._expire)
        self._repeat: asyncio.TimerHandle | None = None

    def repeat(self, again: Callable[[], bool], pauses: Sequence[float]) -> None:
        """Ask `again`, which tells whether it did, after each of these silences."""
        if pauses and not self.answer.done():
            self._repeat = self._loop.call_later(pauses[0], self._silent, again, pauses[1:])

    def _silent(self, again: Callable[[], bool], pauses: Sequence[float]) -> None:
        if again():
            self.open += 1
            self.repeats += 1
        self.repeat(again, pauses)

    def hear(self, message: Msg) -> None:
        self.open -= 1
        if not self.answer.done() and not (unserved(message) and self.open):
            self.answer.set_result(message)

    def _expire(self) -> None:
        self.fail(Fault(Code.TIMEOUT, "The service did not answer in time."))

    def fail(self, fault: Fault) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)

    def close(self) -> None:
        self._expiry.cancel()
        if self._repeat is not None:
            self._repeat.cancel()


def unserved(message: Msg) -> bool:
    """The server's word that nobody listens on the subject."""
    return message.headers is not None and message.headers.get("Status") == "503"
