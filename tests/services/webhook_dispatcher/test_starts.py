"""How many attempts at endpoints in doubt begin at once, as they are answered or not."""

import asyncio

import pytest

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


async def test_a_few_begin_at_once_and_all_in_the_end():
    line = Line(20)
    assert await line.begun_within(0) == 4
    assert 4 < 4 + await line.begun_within(0.05) < 20
    await asyncio.wait_for(asyncio.gather(*line.tasks), 2)


async def test_more_begin_as_they_are_answered_and_fewer_as_they_fail():
    answered, failed = Line(400), Line(24)
    for _ in range(10):
        await asyncio.sleep(0.02)
        for _ in range(4):
            answered.starts.saw(delivered=True)
            failed.starts.saw(delivered=False)
    assert failed.begun < 20 < 100 < answered.begun


async def test_a_line_that_grew_long_while_all_answered_ends_soon_though_all_fail():
    line = Line(256)
    await asyncio.sleep(0)
    for _ in range(100):
        line.starts.saw(delivered=True)

    async def fail():
        while not all(task.done() for task in line.tasks):
            line.starts.saw(delivered=False)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(fail(), 3)


async def test_the_line_has_an_end():
    line = Line(400)
    await asyncio.sleep(0)
    assert line.starts.free < 0


async def test_where_none_stands_in_line_the_next_one_begins_with_few_again():
    line = Line(12)
    await asyncio.sleep(0)
    for _ in range(8):
        line.starts.saw(delivered=True)
    assert await line.begun_within(0) == 8
    await asyncio.sleep(0.05)
    again = [asyncio.create_task(line.starts.turn()) for _ in range(12)]
    await asyncio.sleep(0.001)
    assert sum(each.done() for each in again) == 4
    await asyncio.wait(again)


async def test_one_that_leaves_the_line_takes_no_turn():
    line = Line(5)
    await asyncio.sleep(0)
    leaves, stays = asyncio.create_task(line.starts.turn()), asyncio.create_task(line.starts.turn())
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.wait_for(stays, 1)
    assert line.begun == 5
