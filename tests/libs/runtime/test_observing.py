"""Backlogs are read beside the work, and one that can't be read shows no number."""

import math

import pytest
from prometheus_client import REGISTRY, Gauge

from libs.contracts.faults import Code, Fault
from libs.runtime.observing import Observed, look

pytestmark = pytest.mark.asyncio

BACKLOG = Gauge("test_backlog", "Rows")


async def test_a_look_that_fails_leaves_no_stale_number():
    async def fails() -> list[float]:
        raise Fault(Code.UNAVAILABLE, "The database is away.")

    async def finds() -> list[float]:
        return [7.0]

    def failed() -> float | None:
        return REGISTRY.get_sample_value("polyvox_observation_failed", {"what": "test"})

    await look(Observed("test", [BACKLOG], finds))
    assert (REGISTRY.get_sample_value("test_backlog"), failed()) == (7.0, 0.0)
    await look(Observed("test", [BACKLOG], fails))
    assert math.isnan(REGISTRY.get_sample_value("test_backlog") or 0.0)
    assert failed() == 1.0
    await look(Observed("test", [BACKLOG], finds))
    assert (REGISTRY.get_sample_value("test_backlog"), failed()) == (7.0, 0.0)
