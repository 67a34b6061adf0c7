"""Backlogs are read beside the work, and one that can't be read shows no number."""

import asyncio
import math

import pytest
from prometheus_client import REGISTRY, Gauge

from libs.contracts.faults import Code, Fault
from libs.runtime.observing import Observed, look, observe
from tests.support.waiting import until

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


async def test_a_backlog_that_can_not_be_read_is_said_once_until_it_can(caplog):
    looks = iter(["away", "away", "", "away", "busy", "busy"])

    async def says() -> list[float]:
        if reason := next(looks):
            raise Fault(Code.UNAVAILABLE, reason)
        return [7.0]

    observing = asyncio.create_task(observe([Observed("test", [BACKLOG], says)], every=0))
    await until(lambda: len(caplog.records) >= 3)
    observing.cancel()
    assert [record.error for record in caplog.records][:3] == ["away", "away", "busy"]
