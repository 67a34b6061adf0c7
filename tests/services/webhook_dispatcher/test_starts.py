"""How many attempts at endpoints in doubt begin at once, as they are answered or not."""

import asyncio

import pytest

from services.webhook_dispatcher import starts
from services.webhook_dispatcher.starts import Starts

pytestmark = pytest.mark.asyncio


class Line:
    """Attempts in one line, which begin when it is their turn; what comes of them is told by hand."""

    def __init__(self, count: int) -> None:
        self.starts, self.begun = Starts(), 0
        self.tasks = [asyncio.create_task(self._one()) for _ in range(count)]

    async def _one(self) -> None:
        await self.starts.turn()
        self.begun += 1

    async def begun_within(self, seconds: float) -> int:
        before = self.begun
        await asyncio.sleep(seconds)
        return self.begun - before

    async def ended(self) -> float:
        """The seconds until all have begun."""
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)
        return asyncio.get_running_loop().time() - began


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """What began has always begun just now."""
    monkeypatch.setattr(starts, "_SECONDS", 3600.0)


async def test_a_few_begin_at_once(still):
    line = Line(20)
    assert await line.begun_within(0.05) == 4


async def test_all_begin_in_the_end_a_few_at_a_time():
    assert await Line(40).ended() >= 9 * 0.02


async def test_more_begin_as_they_are_answered(still):
    line = Line(400)
    assert await line.begun_within(0) == 4
    for _ in range(40):
        line.starts.saw(delivered=True)
    assert await line.begun_within(0) == 40


async def test_fewer_begin_as_they_fail():
    line = Line(24)
    await asyncio.sleep(0)
    for _ in range(4):
        line.starts.saw(delivered=False)
    assert await line.ended() >= 0.3, "in fours it would have taken 0.1"


async def test_a_line_that_grew_long_while_all_answered_ends_soon_though_all_fail():
    """By the looks at it, each of which lasts for half of what one in line takes: in ones it would take 400 of them."""
    line, looks = Line(256), 0
    await asyncio.sleep(0)
    for _ in range(100):
        line.starts.saw(delivered=True)
    while not all(task.done() for task in line.tasks):
        line.starts.saw(delivered=False)
        await asyncio.sleep(0.01)
        looks += 1
    assert looks < 300


async def test_the_line_has_an_end():
    line = Line(400)
    await asyncio.sleep(0)
    assert line.starts.free < 0


async def test_where_none_stands_in_line_the_next_one_begins_with_few_again(monkeypatch):
    monkeypatch.setattr(starts, "_SECONDS", 0.5)
    line = Line(12)
    await asyncio.sleep(0)
    for _ in range(8):
        line.starts.saw(delivered=True)
    assert await line.begun_within(0) == 8
    await asyncio.sleep(0.6)
    monkeypatch.setattr(starts, "_SECONDS", 3600.0)
    again = [asyncio.create_task(line.starts.turn()) for _ in range(12)]
    await asyncio.sleep(0.05)
    assert sum(each.done() for each in again) == 4
    for each in again:
        each.cancel()


async def test_one_that_leaves_the_line_takes_no_turn():
    line = Line(5)
    await asyncio.sleep(0)
    leaves, stays = asyncio.create_task(line.starts.turn()), asyncio.create_task(line.starts.turn())
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.wait_for(stays, 60)
    assert line.begun == 5
