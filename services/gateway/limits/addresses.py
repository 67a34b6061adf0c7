"""Addresses: how many requests a minute come from one without being anybody's.

The rule: what a process counts here it counts for itself. It is there against floods, not for a bill.
"""

import time

from libs.contracts.limits import Kind
from services.gateway.limits import windows
from services.gateway.limits.permits import Standing
from services.gateway.origins import Address, Network, network

_MOST_KNOWN = 100_000


class Addresses:
    """`limit` requests a minute may come from one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[Network, int] = {}
        self._ends = 0

    def take(self, address: Address | None) -> Standing:
        """Those that are refused do not count."""
        standing = self.look(address)
        if not standing.remaining:
            return Standing(standing.kind, False, standing.limit, 0, standing.ends)
        if len(self._used) < _MOST_KNOWN:
            self._used[network(address)] = standing.limit - standing.remaining + 1
        return Standing(standing.kind, True, standing.limit, standing.remaining - 1, standing.ends)

    def look(self, address: Address | None) -> Standing:
        now = time.time()
        if now >= self._ends:
            self._used, self._ends = {}, windows.window(Kind.REQUESTS, now)[1]
        remaining = self._limit - self._used.get(network(address), 0)
        return Standing(Kind.REQUESTS, True, self._limit, remaining, self._ends)
