"""nats-users.conf against a real server: what a service may say is what the table of callers says it may."""

import os
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error

from deploy.local import nats as local_nats
from deploy.local.children import ROOT
from libs.contracts import followers
from libs.contracts.subjects import MAY_ASK, MAY_CALL

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVICES = tuple(MAY_CALL)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("nats")
    with pytest.MonkeyPatch.context() as patch:
        for user in (*SERVICES, "operator"):
            patch.setenv(f"NATS_{user.upper()}_PASSWORD", f"p-{user}")
        users = os.path.relpath(ROOT / "deploy" / "nats-users.conf", folder.resolve())
        server = local_nats.start(folder, more=f'include "{users}"')
    yield server.url
    server.stop()


async def connected(url: str, user: str, refused: list[str]) -> Client:
    async def note(error: Exception) -> None:
        refused.append(str(error))

    return await nats.connect(url, user=user, password=f"p-{user}", error_cb=note, inbox_prefix=f"_INBOX.{user}")


async def is_refused(url: str, user: str, *, publish: str = "", subscribe: str = "") -> bool:
    refused: list[str] = []
    client = await connected(url, user, refused)
    try:
        if publish:
            await client.publish(publish, b"")
        if subscribe:
            await client.subscribe(subscribe)
        # nats-py's first PING overtakes what is still buffered, so only the second one answers for it.
        await client.flush()
        await client.flush()
        return any("permissions violation" in error.lower() for error in refused)
    finally:
        await client.close()


@pytest.mark.parametrize("caller", SERVICES)
@pytest.mark.parametrize("owner", SERVICES)
async def test_a_service_asks_only_those_it_may_call(guarded, caller, owner):
    refused = await is_refused(guarded, caller, publish=f"rpc.{owner}.things.get")
    assert refused == (owner not in MAY_CALL[caller])


@pytest.mark.parametrize("caller", SERVICES)
@pytest.mark.parametrize("question", sorted(question for asked in MAY_ASK.values() for question in asked))
async def test_some_questions_may_be_asked_beyond_that(guarded, caller, question):
    may = question in MAY_ASK.get(caller, ()) or question.split(".")[1] in MAY_CALL[caller]
    assert await is_refused(guarded, caller, publish=question) != may


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("owner", SERVICES)
async def test_a_service_answers_and_states_only_what_it_owns(guarded, service, owner):
    assert await is_refused(guarded, service, subscribe=f"rpc.{owner}.things.get") == (owner != service)
    assert await is_refused(guarded, service, publish=f"event.{owner}.things.made") == (owner != service)


@pytest.mark.parametrize("reader", SERVICES)
@pytest.mark.parametrize("service", SERVICES)
async def test_replies_are_read_by_who_asked_and_sent_by_who_was_asked(guarded, service, reader):
    assert await is_refused(guarded, service, subscribe=f"_INBOX.{reader}.x.*") == (reader != service)
    asked = MAY_CALL[reader] | {question.split(".")[1] for question in MAY_ASK.get(reader, ())}
    assert await is_refused(guarded, service, publish=f"_INBOX.{reader}.x.1") == (service not in asked)


@pytest.mark.parametrize("service", SERVICES)
async def test_frames_come_from_the_runner_and_go_to_the_gateway(guarded, service):
    assert await is_refused(guarded, service, publish="feed.runner.runs.1") == (service != "runner")
    assert await is_refused(guarded, service, subscribe="feed.runner.runs.1") == (service != "gateway")


@pytest.mark.parametrize("service", SERVICES)
async def test_what_a_gateway_follows_is_said_by_it_and_heard_by_the_runners(guarded, service):
    subject = followers.FEED.of("gateway-1")
    assert await is_refused(guarded, service, publish=subject) == (service != "gateway")
    assert await is_refused(guarded, service, subscribe=followers.FEED.of("*")) == (
        service not in ("gateway", "runner")
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_keeps_its_own_consumer_of_the_events_and_no_other(guarded, service):
    refused: list[str] = []
    client = await connected(guarded, service, refused)
    stream, refused_soon = client.jetstream(timeout=30), client.jetstream(timeout=1)
    try:
        await stream.add_stream(name="EVENTS", subjects=["event.>"])
        own = await stream.pull_subscribe("event.>", durable=service, stream="EVENTS")
        await stream.publish(f"event.{service}.things.made", b"fact")
        for message in await own.fetch(1, timeout=30):
            await message.ack()
        await client.flush()
        assert refused == []
        other = next(each for each in SERVICES if each != service)
        with pytest.raises(Error):
            await refused_soon.pull_subscribe("event.>", durable=other, stream="EVENTS")
        assert "permissions violation" in refused[0].lower()
    finally:
        await client.close()


async def test_nobody_comes_in_without_a_password(guarded):
    with pytest.raises(Error):
        await nats.connect(guarded, allow_reconnect=False, max_reconnect_attempts=1)
