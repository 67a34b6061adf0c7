"""Readers of streams whose connections are cut at any byte, and who go on from the last id that they saw.

A voice joins with one line in VOICES: how a stream of it is asked for, what an event's data says, and what its end is.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.engine import Client


class Asking(NamedTuple):
    """The request that begins to read a stream, and that with the last id goes on."""

    method: str
    path: str
    body: bytes = b""


class Voice(NamedTuple):
    asking: Callable[[Client, str], Awaitable[Asking]]
    says: Callable[[str], str]
    ends: str


async def klu(client: Client, action: str) -> Asking:
    """The run is started here: its stream has an address of its own."""
    wanted = {"action": action, "input": {"question": "Why?"}, "streaming": True}
    return Asking("GET", urlsplit((await client.post("/v1/actions/", wanted))["streaming_url"]).path)


async def klisk(client: Client, action: str) -> Asking:
    name = (await client.get(f"/v1/actions/{action}"))["name"]
    return Asking("POST", "/api/chat", json.dumps({"message": "Why?", "agent_name": name}).encode())


async def openai(client: Client, action: str) -> Asking:
    wanted = {"model": action, "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    return Asking("POST", "/openai/v1/chat/completions", json.dumps(wanted).encode())


async def klairo(client: Client, action: str) -> Asking:
    """It speaks to the workspace's first action."""
    return Asking("POST", "/klairo/api/chat", json.dumps({"message": "Why?", "stream": True}).encode())


def klu_says(data: str) -> str:
    return json.loads(data)["token"] if data.startswith("{") else ""


def klisk_says(data: str) -> str:
    event: dict[str, Any] = json.loads(data) if data.startswith("{") else {}
    return event["data"] if event.get("type") == "token" else ""


def openai_says(data: str) -> str:
    chunk: dict[str, Any] = json.loads(data) if data.startswith("{") else {}
    return "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", []))


def klairo_says(data: str) -> str:
    event: dict[str, Any] = json.loads(data) if data.startswith("{") else {}
    return event["content"] if event.get("type") == "token" else ""


VOICES = {
    "klu": Voice(klu, klu_says, "END_STREAM"),
    "klisk": Voice(klisk, klisk_says, "[DONE]"),
    "openai": Voice(openai, openai_says, "[DONE]"),
    "klairo": Voice(klairo, klairo_says, "[DONE]"),
}


class Reading:
    """A client that keeps what came up to the last id, over as many connections as it takes; `came` is of this one."""

    def __init__(self, voice: Voice, asking: Asking, key: str) -> None:
        self._voice, self._asking, self._key = voice, asking, key
        self.text, self.last, self.ended = "", "", False
        self.came = b""

    @property
    def run(self) -> str:
        """Known from the first id on."""
        return self.last.rpartition("-")[0]

    async def some(self, gateway: str, *, seconds: float | None, most: int) -> None:
        """What comes of the rest within so many seconds and bytes; then the connection is cut."""
        self.came = b""
        reader, writer = await self._connected(gateway)
        try:
            async with asyncio.timeout(seconds):
                while len(self.came) < most and (more := await reader.read(most - len(self.came))):
                    self.came += more
        except TimeoutError:
            pass
        finally:
            writer.transport.abort()
        self._take(self.came)

    async def to_the_first_id(self, gateway: str) -> None:
        reader, writer = await self._connected(gateway)
        self._take(await reader.readuntil(b"\nid: ") + await reader.readuntil(b"\n\n"))
        writer.transport.abort()

    async def _connected(self, gateway: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        to, (method, path, body) = urlsplit(gateway), self._asking
        head = [f"{method} {path} HTTP/1.0", f"Host: {to.netloc}", f"Authorization: Bearer {self._key}"]
        head += [f"Last-Event-ID: {self.last}"] if self.last else []
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
        reader, writer = await asyncio.open_connection(to.hostname, to.port)
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        return reader, writer

    def _take(self, came: bytes) -> None:
        pending = ""
        for event in came.partition(b"\r\n\r\n")[2].decode(errors="ignore").split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
            pending += self._voice.says(fields.get("data", ""))
            self.ended = self.ended or fields.get("data") == self._voice.ends
            if "id" in fields:
                self.text, pending, self.last = self.text + pending, "", fields["id"]
