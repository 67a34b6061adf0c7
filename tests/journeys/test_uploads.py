"""A large file goes from a client into a context, and no process holds it whole in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.engine import Client, Engine
from tests.support.processes import process
from tests.support.servers import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEGABYTE = 1 << 20
_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="tale.txt"\r\n\r\n'


async def multipart(size: int) -> AsyncIterator[bytes]:
    """A form whose file is so large: a tale at its beginning, blanks after it."""
    yield _HEAD + b"Boats leave at six from the eastern pier.\n".ljust(MEGABYTE)
    for _ in range(size // MEGABYTE - 1):
        yield b" " * MEGABYTE
    yield b" " * (size % MEGABYTE) + b"\r\n--b--\r\n"


async def send(client: Client, size: int) -> tuple[int, str]:
    """The answer's status, and the address that names the file."""
    given = await client.post("/v1/context/presign", {"file_name": "tale.txt"})
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    async with client.session.post(given["url"], data=multipart(size), headers=form) as answer:
        return answer.status, given["object_url"]


def most_memory(pid: int) -> int:
    """In bytes, since `forget_memory`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def forget_memory(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def test_a_file_of_fifty_megabytes_is_taken_in_piece_by_piece(engine: Engine, nats_url, databases) -> None:
    at_door = await engine.workspace("large-files")
    url = f"http://127.0.0.1:{(port := free_port())}"
    async with process("gateway", nats_url, databases, listen=f"127.0.0.1:{port}") as gateway:
        client = Client(engine.session, url, at_door.key)
        status, named = await send(client, MEGABYTE)
        assert status == 204
        forget_memory(gateway.pid)
        before = most_memory(gateway.pid)
        assert (await send(client, 50 * MEGABYTE))[0] == 204
        assert most_memory(gateway.pid) - before < 20 * MEGABYTE
        assert (await send(client, 50 * MEGABYTE + 1))[0] == 413
    context = (await at_door.post("/v1/context", {"name": "Tales", "files": [named]}))["guid"]

    async def found() -> list:
        return (await at_door.post(f"/v1/context/{context}/search", {"prompt": "When do boats leave?"}))["data"]

    await eventually(found)
