"""Stopping: no step keeps the next one from its turn."""

import asyncio

import pytest

from libs.contracts.faults import Code, Fault
from libs.runtime.stop import Budget

pytestmark = pytest.mark.asyncio


async def test_a_step_that_hangs_or_fails_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    reached: list[str] = []
    let_go = asyncio.Event()

    async def hang() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                reached.append("cancelled")

    async def bug() -> None:
        raise KeyError("a bug")

    async def away() -> None:
        raise Fault(Code.UNAVAILABLE, "NATS is away.")

    async def last() -> None:
        reached.append("last")

    budget = Budget(2)
    budget.begin()
    for name, step in {"hang": hang, "bug": bug, "away": away, "last": last}.items():
        await budget.spend(name, step)
    let_go.set()
    assert reached == ["cancelled", "last"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]


async def test_accepted_work_has_all_but_the_last_seconds_and_each_step_half_of_those(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = Budget(100)
    budget.begin()
    assert 90 < budget.share <= 95
    began = asyncio.get_running_loop().time()
    with monkeypatch.context() as later:
        later.setattr(asyncio.get_running_loop(), "time", lambda: began + 96)
        share = budget.share
    assert 1.9 < share <= 2
