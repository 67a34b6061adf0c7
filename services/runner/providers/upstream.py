"""The client of all providers: one aiohttp session a process and kind of address, retries, deadlines, cancelling.

The rule it keeps: once a piece of the answer is out nothing is tried again; whoever stops hearing, by raising or by
being cancelled, closes the connection.
"""

import asyncio
import random
import time
from collections.abc import Awaitable

import aiohttp

from libs.contracts.faults import Fault
from libs.egress import Egress
from services.runner.providers import anthropic, openai
from services.runner.providers.attempt import Attempt, Hear, Patience
from services.runner.providers.call import Dialect, Interrupted, ModelCall, Piece

_DIALECTS: dict[str, Dialect] = {"openai": openai, "anthropic": anthropic}


class Upstream:
    def __init__(self, egress: Egress, patience: Patience | None = None) -> None:
        self._egress, self._patience = egress, patience or Patience()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def ask(self, call: ModelCall, hear: Hear) -> None:
        """Tells `hear` the pieces of the model's answer as they come, the last of them Finished. Raises Fault."""
        dialect, endpoint = _DIALECTS[call.endpoint.kind], call.endpoint
        request, once = dialect.request(call), Once(hear)
        deadline = time.monotonic() + (call.parameters.timeout or self._patience.total)
        tries = 0
        while True:
            attempt = Attempt(self._session(endpoint.guarded), endpoint, self._patience, deadline)
            try:
                return await attempt.read(request, dialect.reader(call), once.hear)
            except Interrupted as interrupted:
                wait = None if once.heard else self._wait(interrupted, tries, call.parameters.retries)
                if wait is None or time.monotonic() + wait > deadline:
                    raise _without_key(interrupted.fault, endpoint.key) from None
            tries += 1
            await asyncio.sleep(wait)

    def _wait(self, interrupted: Interrupted, tries: int, retries: int | None) -> float | None:
        """How long to wait before the next attempt; None where there is none."""
        allowed = self._patience.retries if retries is None else retries
        if not interrupted.again or tries >= allowed:
            return None
        backoff = self._patience.backoff * 2**tries * random.uniform(0.5, 1)  # noqa: S311
        wait = max(backoff, interrupted.wait or 0.0)
        return wait if wait <= self._patience.longest_wait else None

    def _session(self, guarded: bool) -> aiohttp.ClientSession:
        if guarded not in self._sessions:
            self._sessions[guarded] = aiohttp.ClientSession(
                connector=self._egress.connector(guarded=guarded),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "polyvox"},
                trust_env=False,
            )
        return self._sessions[guarded]

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()


class Once:
    """Passes pieces on, and knows whether there were any."""

    def __init__(self, hear: Hear) -> None:
        self._hear, self.heard = hear, False

    def hear(self, pieces: list[Piece]) -> Awaitable[None]:
        self.heard = True
        return self._hear(pieces)


def _without_key(fault: Fault, key: str) -> Fault:
    if not key or key not in fault.message:
        return fault
    return Fault(fault.code, fault.message.replace(key, "…"), field=fault.field, retry_after=fault.retry_after)
