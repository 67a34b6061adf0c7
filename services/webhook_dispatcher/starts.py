"""Starts: attempts at endpoints that have not answered just now begin a few at a time, and more as they are answered.

Owner: webhook_dispatcher, one for each lane in a process. To open a connection, and to see it fail, keeps the process
and the database busy: what a thousand dead receivers cost at once, deliveries to all others would wait for. Where none
stands in line nobody waits, and the next line begins with few again.
"""

import asyncio
import math
from collections import deque

# So many may begin within so long.
_SECONDS = 0.02
_FEW, _MANY = 4, 64
_LINE = 16
# A claim outlasts its attempt by seconds only, so a line that grew long while it went fast still ends within about two.
_HALVES_IN = 0.5


class Starts:
    def __init__(self) -> None:
        self._width = _FEW
        self._recent = 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """As many more may stand in line."""
        return max(_LINE, 4 * self._width) - len(self._line)

    async def turn(self) -> None:
        """Returns when it is the caller's turn, in the order of asking."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._let_in()
        await turn

    def saw(self, *, delivered: bool) -> None:
        """What came of one that began."""
        if self._line:
            self._width = min(self._width + 1, _MANY) if delivered else self._fewer()
            self._let_in()

    def _fewer(self) -> int:
        least = math.ceil(len(self._line) * _SECONDS / _HALVES_IN)
        return max(self._width // 2, min(self._width, least))

    def _let_in(self) -> None:
        while self._line and self._recent < self._width:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                self._recent += 1
                turn.get_loop().call_later(_SECONDS, self._pass)
        if not self._line:
            self._width = _FEW

    def _pass(self) -> None:
        self._recent -= 1
        self._let_in()
