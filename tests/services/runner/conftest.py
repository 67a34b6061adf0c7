"""The runner as in production, a model provider of the tests' own, and a caller as the gateway is one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest_asyncio

from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.contracts import actions, apps, experiments, feed, ids, runs, sessions
from libs.runtime.service import Service
from tests.support import calling
from tests.support.provider import Provider, provider
from tests.support.services import running

T = TypeVar("T")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[Provider]:
    async with provider() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runner(nats_url, databases, upstream) -> AsyncIterator[Service]:
    settings = {"default_model_url": upstream.openai_url, "default_model_name": "small"}
    async with running("runner", nats_url, databases, **settings) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncIterator[Bus]:
    async with calling.gateway(nats_url, databases) as bus:
        yield bus


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def follower(bus) -> AsyncIterator[Follower]:
    follower = Follower(bus)
    yield follower
    await follower.close()


async def eventually(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], *, seconds: float = 60.0) -> T:
    """The first answer that is wanted."""
    async with asyncio.timeout(seconds):
        while not wanted(answer := await ask()):  # noqa: ASYNC110 — it can only be asked for
            await asyncio.sleep(0.01)
    return answer


class Caller:
    """What one workspace asks of the runner."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.workspace_id = bus, ids.new()

    async def action(self, prompt: str = "{{question}}", **more: Any) -> actions.Action:
        app = await self.bus.call(apps.CREATE, apps.CreateApp(self.workspace_id, "App"))
        return await self.bus.call(
            actions.CREATE, actions.CreateAction(self.workspace_id, app.id, "Ask", prompt, **more)
        )

    def start(self, action: actions.Action, inputs: str | dict[str, Any] = "Why?", **more: Any) -> runs.StartRun:
        return runs.StartRun(self.workspace_id, more.pop("run_id", None) or ids.new(), action.id, inputs, "klu", **more)

    async def run(self, action: actions.Action, inputs: str | dict[str, Any] = "Why?", **more: Any) -> runs.Run:
        start = self.start(action, inputs, **more)
        return await self.bus.call(runs.ENQUEUE if start.mode is runs.Mode.ASYNC else runs.START, start)

    async def get(self, run_id: UUID) -> runs.Run:
        return await self.bus.call(runs.GET, runs.GetRun(self.workspace_id, run_id))

    async def experiment(self, *variants: actions.Action | experiments.Wanted) -> experiments.Experiment:
        wanted = [experiments.Wanted(one.id) if isinstance(one, actions.Action) else one for one in variants]
        return await self.bus.call(
            experiments.CREATE, experiments.CreateExperiment(self.workspace_id, "Which?", wanted)
        )

    async def ended(self, run_id: UUID) -> runs.Run:
        """The run once it has ended."""
        return await eventually(lambda: self.get(run_id), lambda run: run.status in runs.ENDED)

    async def cancel(self, run_id: UUID) -> runs.Run:
        return await self.bus.call(runs.CANCEL, runs.GetRun(self.workspace_id, run_id))

    async def frames(self, run_id: UUID, *, attempt: int = 1, after: int = 0) -> feed.Frames:
        """All of them: of many, an answer holds a part."""
        cursor = feed.Cursor(self.workspace_id, run_id, attempt, after)
        frames: list[feed.Frame] = []
        while True:
            answer = (await self.bus.call(feed.FRAMES, feed.AskFrames([cursor])))[0]
            frames += answer.frames
            if not answer.more:
                return msgspec.structs.replace(answer, frames=frames)
            cursor = feed.Cursor(self.workspace_id, run_id, frames[-1].attempt, frames[-1].n)

    async def session(self, action: actions.Action | None = None) -> sessions.Session:
        asked = sessions.CreateSession(self.workspace_id, action.id if action else None)
        return await self.bus.call(sessions.CREATE, asked)


@pytest_asyncio.fixture(loop_scope="session")
async def caller(bus, runner) -> Caller:
    return Caller(bus)


@pytest_asyncio.fixture(loop_scope="session")
async def other(bus, runner) -> Caller:
    """Another workspace's."""
    return Caller(bus)


@pytest_asyncio.fixture(autouse=True)
async def _nothing_left_to_play(request) -> AsyncIterator[None]:
    yield
    if "upstream" in request.fixturenames:
        told = request.getfixturevalue("upstream")
        left = len(told.answers)
        told.answers.clear()
        assert not left, "the provider was not asked as often as the test said"
