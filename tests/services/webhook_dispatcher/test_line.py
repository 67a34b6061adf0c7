"""In which order attempts at endpoints in doubt begin, and how many as they arrive or not."""

import asyncio
from uuid import UUID

import pytest

from libs.contracts import ids
from services.webhook_dispatcher.line import Line

pytestmark = pytest.mark.asyncio

SECONDS = 0.005
CROWD, ALONE = ids.new(), ids.new()


class Standing:
    """Attempts in one line, which begin when it is their turn; what comes of them is told by hand."""

    def __init__(self, count: int) -> None:
        self.line, self.begun = Line(SECONDS, most=64, spare=16), list[UUID]()
        self.tasks = [self.stand(CROWD) for _ in range(count)]

    def stand(self, workspace_id: UUID, *, others: int = 0) -> "asyncio.Task[None]":
        return asyncio.create_task(self._one(workspace_id, others))

    async def _one(self, workspace_id: UUID, others: int) -> None:
        await self.line.turn(workspace_id, others=others)
        self.begun.append(workspace_id)

    async def begun_within(self, seconds: float) -> int:
        before = len(self.begun)
        await asyncio.sleep(seconds)
        return len(self.begun) - before


async def test_a_few_begin_at_once_and_the_others_one_by_one():
    standing = Standing(20)
    assert await standing.begun_within(0) == 4
    assert 4 < 4 + await standing.begun_within(6 * SECONDS) < 20
    await asyncio.wait_for(asyncio.gather(*standing.tasks), 2)


async def test_more_and_more_of_a_workspace_begin_as_they_arrive():
    standing = Standing(400)
    others = [standing.stand(ALONE) for _ in range(20)]
    await standing.begun_within(0)
    told = 0
    for _ in range(4):
        for _ in standing.begun[told:]:
            standing.line.saw(CROWD, delivered=True)
            told += 1
        await asyncio.sleep(0.001)
    assert standing.begun.count(CROWD) > 100
    assert not any(each.done() for each in others)
    for task in (*standing.tasks, *others):
        task.cancel()


async def test_half_as_many_begin_while_they_fail_and_the_line_ends_nevertheless():
    standing, told = Standing(64), 0
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(4):
        while not all(task.done() for task in standing.tasks):
            for _ in standing.begun[told:]:
                standing.line.saw(CROWD, delivered=False)
                told += 1
            await asyncio.sleep(0.001)
    assert asyncio.get_running_loop().time() - began > 2 * SECONDS * (64 - 8)


@pytest.mark.parametrize("count", [1, 10, 20])
async def test_workspaces_that_send_all_they_can_get_the_same_and_leave_places_for_others(count):
    line, standing = Line(60, most=64, spare=16), list[asyncio.Task[None]]()
    workspaces = [ids.new() for _ in range(count)]
    await asyncio.gather(*(line.turn(ids.new(), others=0) for _ in range(4)))
    while eager := [id for id in workspaces if id not in line.full()]:
        standing += [asyncio.create_task(line.turn(id, others=0)) for id in eager[: line.free // 2]]
        await asyncio.sleep(0)
    assert len(standing) >= 64 // 2
    assert line.free >= 8
    assert ids.new() not in line.full()
    for task in standing:
        task.cancel()
    await asyncio.wait(standing)
    assert (line.free, line.full()) == (64, [])


async def test_whose_workspace_has_nothing_else_under_way_goes_first_and_at_once():
    standing = Standing(0)
    crowd = [standing.stand(CROWD, others=n + 4) for n in range(40)]
    await asyncio.sleep(4 * SECONDS)
    alone = standing.stand(ALONE)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert alone.done()
    assert sum(each.done() for each in crowd) < 20
    await asyncio.gather(*crowd)


async def test_nobody_is_overtaken_for_longer_than_some_two_seconds():
    standing = Standing(20)
    last = standing.stand(ALONE, others=9)
    async with asyncio.timeout(3):
        while not last.done():
            begun = sum(each.done() for each in standing.tasks)
            standing.tasks += [standing.stand(CROWD) for _ in range(40 + begun - len(standing.tasks))]
            await asyncio.sleep(2 * SECONDS)
    assert standing.begun.count(CROWD) > 100
    for task in standing.tasks:
        task.cancel()


async def test_where_nobody_stood_for_a_while_a_few_begin_at_once_again():
    standing = Standing(12)
    await asyncio.wait(standing.tasks)
    await asyncio.sleep(8 * SECONDS)
    again = [standing.stand(CROWD) for _ in range(12)]
    assert await standing.begun_within(0) == 4
    await asyncio.wait(again)


async def test_one_that_leaves_the_line_takes_no_turn():
    standing = Standing(5)
    await asyncio.sleep(0)
    leaves, stays = standing.stand(ALONE), standing.stand(ALONE)
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.wait_for(stays, 1)
    assert standing.begun == [CROWD] * 5 + [ALONE]
