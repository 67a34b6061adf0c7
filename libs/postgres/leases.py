"""Leases: who, of many processes, is the one for now. A row renewed while its holder lives, judged by Postgres's clock.

Owner: the process named as holder. The rule: by its own monotonic clock a holder stops before Postgres lets another
begin, so a process that can't renew lets go by itself.
"""

import asyncio
import time

from libs.postgres.database import Database
from libs.postgres.patience import for_ever

_RENEW = """
INSERT INTO leases AS lease (name, holder, until) SELECT $1, $2, now() + $3 * interval '1 second'
WHERE NOT EXISTS (SELECT FROM leases WHERE name = $1 AND holder <> $2 AND until >= now())
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE lease.holder = excluded.holder OR lease.until < now()
RETURNING true
"""


class Lease:
    """`run` takes it where it is free and renews it five times in `seconds`; `holder` names this process alone."""

    def __init__(self, database: Database, name: str, holder: str, *, seconds: float = 5.0) -> None:
        self.name, self.holder, self.seconds = name, holder, seconds
        self._database = database.pulse
        self._since = 0.0
        self._until = 0.0

    @property
    def held(self) -> bool:
        return time.monotonic() < self._until

    @property
    def since(self) -> float:
        """The monotonic time from which on it has been held without a gap: another one after every gap."""
        return self._since

    @property
    def settled(self) -> bool:
        """Held without a gap for a whole lease: by now every earlier holder knows that it is none."""
        return self.held and time.monotonic() - self._since >= self.seconds

    async def run(self) -> None:
        """Renew for ever. Away or taken, the lease is tried again."""
        pause = self.seconds / 5
        await for_ever(self.renew, lambda: asyncio.sleep(pause), waits=f"The lease {self.name} can't be renewed")

    async def renew(self) -> bool:
        """Take or renew it now; False where another holds it. Raises Fault UNAVAILABLE."""
        asked = time.monotonic()  # before Postgres counts from its own now
        taken = await self._database.fetchval(_RENEW, self.name, self.holder, self.seconds)
        if not taken:
            self._until = 0.0
            return False
        if asked >= self._until:
            self._since = asked
        self._until = asked + self.seconds
        return True

    async def release(self) -> None:
        """Let another take it at once. Raises Fault UNAVAILABLE; then it lapses by itself."""
        self._until = 0.0
        await self._database.execute("DELETE FROM leases WHERE name = $1 AND holder = $2", self.name, self.holder)
