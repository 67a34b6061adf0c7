"""The servers that every other test and `make up` stand on."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest

from deploy.local import daemons, postgres
from deploy.local import nats as local_nats
from tests.support import servers
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

STARTER = """
import sys, time
from pathlib import Path
from deploy.local import nats, postgres
folder, port = Path(sys.argv[1]), int(sys.argv[2])
a, b = nats.start(folder / "nats"), postgres.start(folder / "postgres", port=port, password="p", fsync=False)
print(a.process.pid, b.process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def test_nats_has_jetstream_and_takes_eight_megabytes(nats_url):
    client = await nats.connect(nats_url)
    assert client.max_payload == 8 * 1024 * 1024
    await client.jetstream().account_info()
    await client.close()


async def test_servers_end_with_a_killed_starter(folder: Path):
    command = [sys.executable, "-c", STARTER, str(folder), str(servers.free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        starter.send_signal(signal.SIGKILL)
    assert len(pids) == 2
    await until(lambda: not any(map(psutil.pid_exists, pids)))


async def test_what_was_written_is_found_again_also_after_a_crash(folder: Path):
    port = servers.free_port()
    server = postgres.start(folder, port=port, password="p@:/ ", fsync=False)
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.process.kill()
    server.process.wait()
    server = postgres.start(folder, port=port, password="p@:/ ", fsync=False)
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("SELECT n FROM kept") == 7
    await connection.close()
    server.stop()


async def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(folder: Path):
    port = servers.free_port()
    postgres.start(folder, port=port, password="p", fsync=False).stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (folder / "cluster" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/cluster\n0\n{port}\n\n\n\n")
    postgres.start(folder, port=port, password="p", fsync=False).stop()
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize(
    "start", [local_nats.start, lambda folder, port: postgres.start(folder, port=port, password="p")]
)
async def test_a_taken_port_is_named_by_the_server_that_wanted_it(folder: Path, start, nats_url):
    taken = int(nats_url.rsplit(":", 1)[1])
    with pytest.raises(daemons.StartError, match=r"in use"):
        start(folder, port=taken)
