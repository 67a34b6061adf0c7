"""The counter: of all gateways, the one that holds the lease counts for all of them, in its memory.

The rule: it gives no more permits than a limit has. What it counted is in Postgres a second later, or sooner where it
took a hundredth of a limit itself. Whoever counts next reads it there, and gives nothing before the others have told
what they used meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from libs.contracts.faults import Code, Fault
from libs.contracts.limits import REACHED, Given, LimitReached, LookUp, Spending, Take, Used
from libs.postgres import outbox
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.gateway.limits import metrics, store, windows
from services.gateway.limits.company import Company
from services.gateway.limits.ledger import Account, Key
from services.gateway.plans.plans import Plans

log = logging.getLogger(__name__)

_WRITE_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
_HURRY_SHARE = 100
_SWEEP_SECONDS = 60.0
# Everybody tells within one second what they used.
_SETTLE_SECONDS = 1.5


class Counter:
    """`connected`: whether the others can be heard."""

    def __init__(
        self, database: Database, lease: Lease, company: Company, plans: Plans, *, connected: Callable[[], bool]
    ) -> None:
        self._database, self._lease, self._company, self._plans = database, lease, company, plans
        self._connected = connected
        self._accounts: dict[Key, Account] = {}
        self._changed: set[Key] = set()
        self._refused: dict[Key, int] = {}
        # Since when this process has held the lease: by the lease's clock, and by that of the windows.
        self._term = self._since = 0.0
        self._cut_off = self._sweep_due = 0.0
        self._hurry = asyncio.Event()

    @property
    def counts(self) -> bool:
        return self._lease.held and (self._company.alone or (self._connected() and self._settled))

    @property
    def _settled(self) -> bool:
        return time.monotonic() - max(self._lease.since, self._cut_off) >= _SETTLE_SECONDS

    def at_once(self, asked: Take) -> Given | None:
        """As `take`, for this process itself; None where it does not count, or would have to read what was before."""
        if not self.counts:
            return None
        account = self._account(_key(asked))
        return self._give(account, asked) if account.known else None

    async def take(self, asked: Take) -> Given:
        """Raises Fault UNAVAILABLE where another one counts, or this one does not yet."""
        self._must_hold()
        account = self._account(_key(asked))
        self._book(_key(asked), asked.process, asked.used, asked.left)
        if not account.known:
            await self._read(account, _key(asked))
        if not self.counts:
            raise _not_me()
        return self._give(account, asked)

    async def of(self, asked: LookUp) -> Used:
        """Raises Fault UNAVAILABLE."""
        self._must_hold()
        key = (asked.workspace_id, asked.kind, asked.begins)
        account = self._account(key)
        if not account.known:
            await self._read(account, key)
        return Used(account.used_beside(asked.process))

    def hear(self, said: Spending) -> None:
        if self._lease.held:
            for spent in said.windows:
                key = (spent.workspace_id, spent.kind, spent.begins)
                self._book(key, said.process, spent.used, spent.left)

    async def run(self) -> None:
        """For ever: writes what was counted, and tells whose limits were reached."""
        away = False
        while True:
            await self._rest()
            metrics.COUNTS.set(self.counts)
            if not self._connected():
                self._cut_off = time.monotonic()
            try:
                await self.write()
                away = False
            except Fault as fault:
                if not away:
                    log.warning("What was counted can't be written: %s", fault.message)
                away = True

    async def _rest(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            async with asyncio.timeout(_WRITE_SECONDS - _PAUSE_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def write(self) -> None:
        """Raises Fault UNAVAILABLE; then it is written the next time."""
        self._hurry.clear()
        if not self.counts:
            return
        changed, self._changed = self._changed, set()
        refused, self._refused = self._refused, {}
        try:
            await self._write(changed, refused)
        except Fault:
            self._changed |= changed
            self._refused |= refused
            raise
        await self._sweep()

    async def leave(self) -> None:
        """Whoever counts next forgets nothing. Raises Fault UNAVAILABLE."""
        try:
            await self.write()
        finally:
            await self._lease.release()

    def _account(self, key: Key) -> Account:
        if self._lease.since != self._term:
            self._term, self._since = self._lease.since, time.time()
            self._accounts, self._changed, self._refused = {}, set(), {}
        account = self._accounts.get(key)
        if account is None:
            # Of a window that began since then nobody else can have counted anything.
            account = self._accounts[key] = Account(known=key[2] > self._since)
        return account

    def _book(self, key: Key, process: str, used: int, left: int) -> None:
        if self._account(key).book(process, used, left):
            self._changed.add(key)

    async def _read(self, account: Account, key: Key) -> None:
        for row in await store.rows(self._database, key):
            account.remember(row.process, row.used, row.taken)
        account.known = True

    def _give(self, account: Account, asked: Take) -> Given:
        key = _key(asked)
        account.book(asked.process, asked.used, asked.left)
        permits = account.give(
            asked.process, asked.limit, wanted=asked.wanted, left=asked.left, processes=self._company.size
        )
        if permits < asked.wanted and not account.reached:
            account.reached = True
            self._refused[key] = asked.limit
        self._changed.add(key)
        if asked.process == self._company.name:
            self._note_own(account, permits, asked.limit)
        return Given(permits, account.taken)

    def _note_own(self, account: Account, permits: int, limit: int) -> None:
        """The others can tell what they were given. Of a window that is at most so many early writes."""
        account.unwritten += permits
        if account.unwritten > limit // _HURRY_SHARE:
            self._hurry.set()

    async def _write(self, changed: set[Key], refused: dict[Key, int]) -> None:
        accounts = {key: self._accounts[key] for key in changed & self._accounts.keys()}
        rows = [
            store.Row(*key, process, used, taken)
            for key, account in accounts.items()
            for process, (used, taken) in account.shares().items()
        ]
        for account in accounts.values():
            account.unwritten = 0
        facts = [await self._reached(key, limit) for key, limit in refused.items()]
        if not rows and not facts:
            return
        async with self._database.transaction() as connection:
            await store.write(connection, rows, holder=self._company.name)
            news = [
                fact for key, fact in zip(refused, facts, strict=True) if fact and await store.reached(connection, key)
            ]
            if news:
                await outbox.state(connection, REACHED, news)

    async def _reached(self, key: Key, limit: int) -> LimitReached | None:
        """None where the workspace is no more."""
        workspace_id, kind, begins = key
        try:
            plan = (await self._plans.of(workspace_id)).plan
        except Fault as fault:
            if fault.code is not Code.NOT_FOUND:
                raise
            return None
        ends = windows.ends(kind, begins)
        return LimitReached(workspace_id, kind, limit, plan, windows.moment(begins), windows.moment(ends))

    async def _sweep(self) -> None:
        if time.monotonic() < self._sweep_due:
            return
        self._sweep_due = time.monotonic() + _SWEEP_SECONDS
        over = [key for key in self._accounts if windows.ends(key[1], key[2]) < time.time() - _SWEEP_SECONDS]
        for key in over:
            del self._accounts[key]
        await store.sweep(self._database)

    def _must_hold(self) -> None:
        if not self._lease.held:
            raise _not_me()


def _key(asked: Take) -> Key:
    return asked.workspace_id, asked.kind, asked.begins


def _not_me() -> Fault:
    return Fault(Code.UNAVAILABLE, "This gateway does not count.", retry_after=1)
