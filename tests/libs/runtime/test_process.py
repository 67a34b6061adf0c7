"""A service as a process: its exit codes, its signals, its private port."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from libs.runtime.settings import Common
from tests.libs.runtime.conftest import until_ready
from tests.support.servers import Databases

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).parents[3]
A_BUSY_MACHINE = 10.0

SERVICE = """
import asyncio, time
from libs.runtime.service import run
from libs.runtime.settings import Common

async def build(service, settings):
    async def stuck():
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass

    async def blocked():
        time.sleep(1000)

    async def nothing():
        pass

    service.on_stop({on_stop})

run("feedback", Common, build)
"""


@asynccontextmanager
async def process(settings: Common, on_stop: str = "nothing", **environ: str) -> AsyncIterator[Process]:
    given = {
        "NATS_URL": settings.nats_url,
        "POSTGRES_DSN": settings.postgres_dsn,
        "BLOBS_URL": settings.blobs_url,
        "PRIVATE_PORT": str(settings.private_port),
        **environ,
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE.format(on_stop=on_stop)),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
        stderr=PIPE,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def said(child: Process) -> list[dict[str, str]]:
    assert child.stderr is not None
    return [json.loads(line) for line in (await child.stderr.read()).splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_with_code_0(settings: Common, number: signal.Signals) -> None:
    async with process(settings) as child:
        await until_ready(settings, missing=[])
        child.send_signal(number)
        assert await child.wait() == 0
        lines = await said(child)
    assert [line["message"] for line in lines][-2:] == ["Stopping", "Stopped"]
    assert {line["service"] for line in lines} == {"feedback"}


async def test_a_signal_before_it_is_ready_ends_it_as_well(settings: Common) -> None:
    async with process(settings, NATS_URL="nats://127.0.0.1:1") as child:
        await until_ready(settings, missing=["nats", "start"])
        child.terminate()
        assert await child.wait() == 0


async def test_a_second_signal_ends_it_at_once(settings: Common) -> None:
    async with process(settings, "stuck") as child:
        await until_ready(settings, missing=[])
        child.terminate()
        await until_ready(settings, missing=["stop"])
        child.terminate()
        assert await child.wait() == 128 + signal.SIGTERM


async def test_bad_settings_end_it_with_code_2_and_a_line_each(settings: Common) -> None:
    async with process(settings, PRIVATE_PORT="x", MASTER_KEYS="hunter2") as child:
        assert await child.wait() == 2
        assert child.stderr is not None
        assert (await child.stderr.read()).decode() == (
            "PRIVATE_PORT is 'x': expected a port from 0 (any free one) to 65535\n"
        )


async def test_a_database_that_is_not_the_services_ends_it_with_code_1(settings: Common, databases: Databases) -> None:
    async with process(settings, POSTGRES_DSN=databases.dsn("runner")) as child:
        assert await child.wait() == 1
        (line,) = [line for line in await said(child) if line["level"] == "critical"]
    assert "instead of 'feedback'" in line["exception"]


async def test_the_private_port_tells_health_and_metrics(settings: Common) -> None:
    async with process(settings), aiohttp.ClientSession(f"http://127.0.0.1:{settings.private_port}") as session:
        await until_ready(settings, missing=[])
        async with session.get("/healthz") as alive, session.get("/metrics") as metrics:
            assert alive.status == 200
            text = await metrics.text()
    for name in ("polyvox_ready{", "polyvox_postgres_connections{", "process_resident_memory_bytes"):
        assert name in text


@pytest.mark.slow
@pytest.mark.parametrize("on_stop", ["stuck", "blocked"])
async def test_whatever_hangs_the_process_is_gone_within_30_seconds(settings: Common, on_stop: str) -> None:
    async with process(settings, on_stop) as child:
        await until_ready(settings, missing=[])
        child.terminate()
        async with asyncio.timeout(30 + A_BUSY_MACHINE):
            assert await child.wait() == 0
