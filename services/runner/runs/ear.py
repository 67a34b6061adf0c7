"""The ear: a clock by which the silence of others is counted.

The rule: it goes only while this process would hear them. While NATS is away or slow, while this process itself is held
up, and for a moment after either, it stands: so nobody is taken for gone who merely could not be heard.
"""

import time

from libs.bus.bus import Bus
from libs.contracts.faults import Fault

# So long a look may take before something was held up, and so long others have then to be heard again.
_LONGEST = 1.0
_DOUBT = 3.0


class Ear:
    """`now` is in seconds; it goes on while `listen` is called often, and stands from a `rest` on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._counted = 0.0
        self._listened: float | None = None
        self._doubted_until = 0.0
        bus.connection.on_reconnect(self._doubt)

    @property
    def now(self) -> float:
        return self._counted + min(self._since(time.monotonic()), _LONGEST)

    def rest(self) -> None:
        """Nobody is listened for."""
        self._counted, self._listened = self.now, None

    async def listen(self) -> None:
        """Returns once all that had been said to this process before has arrived."""
        try:
            await self._bus.connection.flush()
        except Fault:
            self._doubt()
        heard = time.monotonic()
        if self._since(heard) > _LONGEST:
            self._doubt()
        self._counted, self._listened = self._counted + self._since(heard), heard

    def _since(self, moment: float) -> float:
        """What has passed since the last listening, as far as it counts."""
        if self._listened is None or moment < self._doubted_until:
            return 0.0
        return moment - self._listened

    def _doubt(self) -> None:
        self._doubted_until = time.monotonic() + _DOUBT
