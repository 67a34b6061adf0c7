"""The life of a service: it starts when it can, works through outages, and stops in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from libs.bus.bus import Bus
from libs.bus.hear import Heard
from libs.contracts import feedback, ids, usage
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection
from libs.runtime.service import Service, Serving
from libs.runtime.settings import Common
from tests.libs.runtime.conftest import life, nothing, readiness, until_ready
from tests.support.gate import gate
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

TODAY = datetime.now(UTC).date()
ASKED = usage.UsageOf(UUID(int=7), TODAY, TODAY)


async def none_used(_: usage.UsageOf) -> list[usage.Day]:
    return []


async def serving(service: Service, settings: Common) -> None:
    service.serve(usage.OF, none_used)


async def test_a_service_starts_before_its_servers_and_says_what_it_waits_for(settings: Common) -> None:
    async with gate(settings.postgres_dsn, open=False) as postgres, gate(settings.nats_url, open=False) as nats:
        settings = msgspec.structs.replace(settings, postgres_dsn=postgres.url, nats_url=nats.url)

        async def start() -> None:
            async with life(settings, serving):
                assert await readiness(settings) == (200, [])

        starting = asyncio.get_running_loop().create_task(start())
        await until_ready(settings, missing=["nats", "postgres", "start"])
        assert (await readiness(settings))[0] == 503
        await nats.open()
        await until_ready(settings, missing=["postgres", "start"])
        await postgres.open()
        await starting


async def test_a_service_works_on_after_its_servers_were_away(settings: Common, caller: Bus) -> None:
    async with gate(settings.postgres_dsn) as postgres, gate(settings.nats_url) as nats:
        settings = msgspec.structs.replace(settings, postgres_dsn=postgres.url, nats_url=nats.url)
        async with life(settings, serving):
            assert await caller.call(usage.OF, ASKED) == []
            await nats.shut()
            await postgres.shut()
            await until_ready(settings, missing=["nats", "postgres"])
            with pytest.raises(Fault) as fault:
                await caller.call(usage.OF, ASKED)
            assert fault.value.code is Code.UNAVAILABLE
            await nats.open()
            await postgres.open()
            await until_ready(settings, missing=[])
            assert await caller.call(usage.OF, ASKED) == []


async def test_a_service_whose_servers_are_away_stops_all_the_same(settings: Common) -> None:
    async with gate(settings.postgres_dsn) as postgres, gate(settings.nats_url) as nats:
        settings = msgspec.structs.replace(settings, postgres_dsn=postgres.url, nats_url=nats.url)
        async with asyncio.timeout(60), life(settings, serving):
            await nats.shut()
            await postgres.shut()


async def test_a_service_asked_to_stop_while_it_waits_stops(settings: Common) -> None:
    async with gate(settings.nats_url, open=False) as nats:
        settings = msgspec.structs.replace(settings, nats_url=nats.url)
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stopping.set)
        async with life(settings, nothing, stopping) as service:
            assert service is None


async def test_a_stop_finishes_what_was_accepted_in_order(settings: Common, caller: Bus) -> None:
    told: list[str] = []
    accepted, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: usage.UsageOf) -> list[usage.Day]:
        accepted.set()
        await answer.wait()
        told.append("request answered")
        return [usage.Day(TODAY, 1, 0, 0, 0, 0)]

    async def build(service: Service, settings: Common) -> None:
        @asynccontextmanager
        async def door() -> AsyncIterator[None]:
            told.append("door opens")
            yield
            told.append(f"door closes while stopping: {service.stopping.is_set()}, ready: {service.health.ready}")
            answer.set()

        async def own_work() -> None:
            told.append("own work finished")

        async def background() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                told.append("background ends")

        service.around(door())
        service.on_stop(own_work)
        service.background("waiting", background)
        service.serve(usage.OF, slow)

    async with life(settings, build):
        asked = asyncio.get_running_loop().create_task(caller.call(usage.OF, ASKED))
        await accepted.wait()
    assert (await asked)[0].runs == 1
    assert told == [
        "door opens",
        "door closes while stopping: True, ready: False",
        "request answered",
        "own work finished",
        "background ends",
    ]


async def test_what_the_last_work_stated_is_published_before_the_end(settings: Common) -> None:
    fact = feedback.FeedbackCreated(UUID(int=7), ids.new(), ids.new(), "rating", 2)
    heard: list[UUID] = []

    async def states(service: Service, _: Common) -> None:
        async def last_work() -> None:
            async with service.database.transaction() as connection:
                await service.state(connection, feedback.CREATED, [fact])

        service.on_stop(last_work)

    async def hears(service: Service, _: Common) -> None:
        async def apply(connection: Connection, batch: list[Heard[feedback.FeedbackCreated]]) -> None:
            heard.extend(each.fact.feedback_id for each in batch)

        service.hear(feedback.CREATED, apply)

    async with life(settings, states) as service:
        assert service is not None
        await until(lambda: service.changes.fresh)
    async with life(settings, hears):
        await until(lambda: heard == [fact.feedback_id])


async def test_background_work_that_fails_begins_again(settings: Common, caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    async def build(service: Service, settings: Common) -> None:
        async def broken() -> None:
            tries.append(1)
            raise KeyError("a bug")

        async def once() -> None:
            tries.append(100)

        service.background("broken", broken)
        service.background("once", once)

    async with life(settings, build):
        await until(lambda: len(tries) > 3)
    assert tries.count(100) == 1
    told = [record for record in caplog.records if record.message.startswith("Background work failed")]
    assert len(told) == 1, "the same failure is told once"
    assert told[0].exc_info is not None


async def test_a_build_that_finds_a_server_gone_is_done_again_from_nothing(settings: Common) -> None:
    built: list[int] = []

    async def build(service: Service, settings: Common) -> None:
        service.serve(usage.OF, none_used)
        built.append(len(service.asked.serving))
        if len(built) < 3:
            raise Fault(Code.UNAVAILABLE, "The database went away.")

    async with life(settings, build):
        assert built == [1, 1, 1]


async def test_a_build_that_fails_ends_the_start(settings: Common) -> None:
    async def build(service: Service, settings: Common) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        async with life(settings, build):
            pass


async def test_a_door_that_does_not_open_ends_the_start(settings: Common) -> None:
    @asynccontextmanager
    async def door() -> AsyncIterator[None]:
        raise OSError("port in use")
        yield

    async def build(service: Service, settings: Common) -> None:
        service.around(door())

    with pytest.raises(OSError, match="port in use"):
        async with life(settings, build):
            pass


async def test_a_paused_subject_is_left_to_others_until_it_is_resumed(settings: Common, caller: Bus) -> None:
    made: list[Serving] = []

    async def build(service: Service, settings: Common) -> None:
        made.append(service.serve(usage.OF, none_used))

    async with life(settings, build):
        await made[0].pause()
        with pytest.raises(Fault) as fault:
            await caller.call(usage.OF, ASKED)
        assert fault.value.code is Code.UNAVAILABLE
        await made[0].resume()
        assert await caller.call(usage.OF, ASKED) == []


async def test_several_instances_of_a_service_run_side_by_side(settings: Common, caller: Bus) -> None:
    by: list[str] = []

    async def build(service: Service, settings: Common) -> None:
        async def answer(_: usage.UsageOf) -> list[usage.Day]:
            by.append(service.instance)
            return []

        service.serve(usage.OF, answer, instance=True)

    other = msgspec.structs.replace(settings, private_port=0)
    async with life(settings, build) as one, life(other, build) as two:
        assert one is not None
        assert two is not None
        for service in (two, one):
            await caller.call(usage.OF, ASKED, to=service.instance)
        assert by == [two.instance, one.instance]
        assert one.private_port != two.private_port
