"""The command that listens, in a process of its own: no endpoint was made, and a program on this machine is told."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager

import pytest
from standardwebhooks.webhooks import Webhook

from deploy.local.children import tied
from libs.contracts import endpoints, feedback, ids
from services.webhook_dispatcher import listen
from tests.services.webhook_dispatcher.conftest import rated
from tests.support.calling import state
from tests.support.receiver import receiver

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("dispatcher")]


@asynccontextmanager
async def listening(databases, workspace, *words: str):
    """The command, once it listens; its lines until then."""
    command = [sys.executable, "-m", "services.webhook_dispatcher", "listen", "--workspace", str(workspace), *words]
    env = {**os.environ, "POSTGRES_DSN": databases.dsn("webhook_dispatcher")}
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=env, preexec_fn=tied())
    try:
        yield process, [line async for line in until(process, "Listening")]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(process: Process, beginning: str):
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode().strip():
            if line.startswith(beginning):
                return
            yield line


async def listeners(dispatcher) -> int:
    return await dispatcher.database.fetchval("SELECT count(*) FROM endpoints WHERE status = 'listening'")


async def test_events_are_forwarded_signed_and_the_listener_leaves_nothing_behind(bus, dispatcher, databases):
    workspace = ids.new()
    async with receiver() as r:
        words = ("--forward", r.url, "--events", "feedback.*", "--count", "2")
        async with listening(databases, workspace, *words) as (process, [signed]):
            assert (await bus.call(endpoints.PAGE, endpoints.PageEndpoints(workspace))).total == 0
            await state(bus, feedback.CREATED, rated(workspace), rated(ids.new()), rated(workspace))
            first, second = await r.wait(2)
            said, _ = await asyncio.wait_for(process.communicate(), 60)
            assert (process.returncode, said.decode().splitlines()[2:]) == (0, ["2 deliveries"])
    secret = signed.removeprefix("Signed with ")
    for got in (first, second):
        Webhook(secret).verify(got.body, dict(got.headers))
        assert got.headers["X-KlairoAI-Event"] == "feedback.created"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert await listeners(dispatcher) == 0


@pytest.mark.parametrize("secret", ["mine", "whsec_", "whsec_abc", "whsec_!!!!"])
async def test_a_secret_that_signs_nothing_is_refused_at_once(secret, capsys):
    with pytest.raises(SystemExit):
        listen.main(["--workspace", str(ids.new()), "--secret", secret])
    assert "is no secret: expected whsec_ and base64" in capsys.readouterr().err


async def test_without_a_url_events_are_printed_until_it_is_interrupted(bus, dispatcher, databases):
    workspace = ids.new()
    async with listening(databases, workspace) as (process, nothing):
        assert process.stdout is not None
        event = await state(bus, feedback.CREATED, rated(workspace))
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        process.send_signal(signal.SIGINT)
        _, complaint = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, complaint) == (0, b"")
    assert nothing == []
    assert ids.crockford("evt", event) in line
    assert await listeners(dispatcher) == 0
