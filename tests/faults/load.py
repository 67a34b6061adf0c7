"""The load: a client that behaves as docs/idempotency.md tells it to, and writes down what it was promised.

It sends again after a broken connection, a 5xx, 409 or 429, with its Idempotency-Key, and resumes a stream after the
last event that it saw; each time at the next gateway. Everything that it does is chosen by the seed; how it falls into
the faults is not.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from msgspec import Struct

from libs.contracts import ids
from tests.faults.ledger import RUNS, STREAMS, Entry, Kind, Ledger

_TIMEOUT = aiohttp.ClientTimeout(total=25.0, sock_read=10.0)
_KINDS = (
    *(Kind.BLOCKING, Kind.STREAMING, Kind.STREAMING, Kind.ASYNC, Kind.CANCELLED),
    *(Kind.DOCUMENT, Kind.FEEDBACK, Kind.AUTOMATION),
)
# What an answer calls the id of what came of it, which is a run's where nothing else is said.
_ID = {Kind.DOCUMENT: "guid", Kind.FEEDBACK: "guid", Kind.AUTOMATION: "run_id"}
# What is so large goes between the services as a blob.
_LARGE, _LARGE_SHARE = 300_000, 0.1
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
_BROKEN = (aiohttp.ClientError, TimeoutError, ConnectionError)


class GaveUp(Exception):
    """A client got an answer that no waiting mends."""


class Place(Struct, frozen=True):
    """A workspace of a run's own, with what its load needs. `run` is a data point to give feedback on, `automation`
    runs the action and tells what it said.
    """

    urls: list[str]
    key: str
    workspace: str
    action: str = ""
    context: str = ""
    automation: str = ""
    run: str = ""


class Client:
    def __init__(self, session: aiohttp.ClientSession, place: Place, ledger: Ledger) -> None:
        self._session, self._place, self._ledger = session, place, ledger
        self._gateways = cycle(place.urls)

    def somewhere(self, url: str) -> str:
        """An address of the engine's, or a path, at the gateway whose turn it is."""
        path, query = urlsplit(url)[2:4]
        return next(self._gateways) + urlunsplit(("", "", path, query, ""))

    async def perform(self, entry: Entry) -> None:
        """Until it was answered, and a run until it was read to its end."""
        match entry.kind:
            case Kind.DOCUMENT:
                path, body = f"/v1/context/{self._place.context}/documents", {"text": f"A text about {entry.word}."}
            case Kind.FEEDBACK:
                path = "/v1/feedback"
                body = {"data_guid": self._place.run, "type": "correction", "value": f"Say {entry.word}."}
            case Kind.AUTOMATION:
                path, body = f"/api/automations/{self._place.automation}/trigger", {"payload": {"word": entry.word}}
            case _:
                path, body = "/v1/actions/", self._run(entry)
        answer = await self.post(path, body, entry.key)
        entry.guid = str(ids.parse(answer[_ID.get(entry.kind, "data_guid")]))
        if entry.kind in RUNS:
            await self._read(entry, answer)

    def _run(self, entry: Entry) -> dict[str, Any]:
        mode = {"streaming": True} if entry.kind in STREAMS else {"async_mode": entry.kind is Kind.ASYNC}
        given = {"word": entry.word, "padding": "." * entry.padding}
        return {"action": self._place.action, "input": given, **mode}

    async def post(self, path: str, body: Any, key: str) -> Any:
        """The JSON of the 200 in the end. Raises GaveUp at a refusal for good."""
        while True:
            try:
                options = {"json": body, "headers": self._headers | {"Idempotency-Key": key}}
                return await self._answer("POST", path, **options)
            except _BROKEN:
                self._ledger.broken += 1
            await asyncio.sleep(0.2)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._place.key}"}

    async def _answer(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, self.somewhere(path), timeout=_TIMEOUT, **options) as answer:
            if answer.status in (200, 201, 202):
                return await answer.json()
            self._ledger.refusals[answer.status, answer.url.path] += 1
            told = f"{method} {answer.url.path} answered {answer.status}: {await answer.text()}"
        if answer.status not in _AGAIN:
            raise GaveUp(told)
        if answer.status == 500:
            self._ledger.errors.append(told)
        raise ConnectionError(told)

    async def _read(self, entry: Entry, answer: Any) -> None:
        match entry.kind:
            case Kind.BLOCKING:
                entry.text, entry.finished = answer["msg"], True
            case Kind.ASYNC:
                await self._poll(entry, answer["result_url"])
            case Kind.STREAMING:
                await self._stream(entry, answer["streaming_url"])
            case _:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._stream(entry, answer["streaming_url"]))
                    both.create_task(self._cancel(entry))

    async def _stream(self, entry: Entry, url: str) -> None:
        await _Reading(self._session, self._ledger, entry, lambda: self.somewhere(url)).read()

    async def _cancel(self, entry: Entry) -> None:
        """At some moment of its answer, or after it."""
        await asyncio.sleep(random.Random(entry.word).uniform(0.0, 1.5))
        await self.post(f"/v1/data/{entry.guid}/cancel", {}, f"{entry.key}-cancel")

    async def _poll(self, entry: Entry, url: str) -> None:
        while not entry.finished:
            await asyncio.sleep(0.2)
            try:
                result = await self._answer("GET", url, headers=self._headers)
            except _BROKEN:
                self._ledger.broken += 1
                continue
            if result["status"] != "PENDING":
                entry.finished, entry.failed = True, result["status"] != "SUCCESS"
                entry.text = "" if entry.failed else result["msg"]


class _Reading:
    """One stream, over as many connections as it takes. What came without an id yet is unsaid when one breaks."""

    def __init__(
        self, session: aiohttp.ClientSession, ledger: Ledger, entry: Entry, somewhere: Callable[[], str]
    ) -> None:
        self._session, self._ledger, self._entry, self._somewhere = session, ledger, entry, somewhere
        self._last, self._pending, self._failed = "", "", False

    async def read(self) -> None:
        while not self._entry.finished:
            self._pending, self._failed = "", False
            headers = {"Last-Event-ID": self._last} if self._last else {}
            self._ledger.resumed += bool(self._last)
            try:
                async with self._session.get(self._somewhere(), headers=headers, timeout=_TIMEOUT) as stream:
                    async for event in events(stream.content):
                        self._take(event)
            except _BROKEN:
                self._ledger.broken += 1
            if not self._entry.finished:
                await asyncio.sleep(0.2)

    def _take(self, event: dict[str, str]) -> None:
        said, id = event.get("data", ""), event.get("id", "")
        if "event" in event:
            # What it is told of: the run's end where an end follows, or only that it can't be read now.
            self._failed = True
        elif said == "END_STREAM":
            self._entry.finished, self._entry.failed = True, self._failed
        elif said.startswith("{"):
            self._pending += json.loads(said)["token"]
        if id:
            if self._last and _place(id) <= _place(self._last):
                self._ledger.errors.append(f"{self._entry.word} was sent {id} after {self._last}")
            if _attempt(id) != _attempt(self._last or id) and said != "END_STREAM":
                self._entry.text = ""
            self._entry.text, self._pending, self._last = self._entry.text + self._pending, "", id


def _place(id: str) -> tuple[int, int]:
    """`<run>-<n>` is of the first attempt, `<run>-<attempt>.<n>` of another."""
    attempt, point, n = id.rpartition("-")[2].partition(".")
    return (int(attempt), int(n)) if point else (1, int(attempt))


def _attempt(id: str) -> int:
    return _place(id)[0]


async def events(stream: aiohttp.StreamReader) -> AsyncIterator[dict[str, str]]:
    """Whole events only, as their fields."""
    event: dict[str, str] = {}
    async for raw in stream:
        line = raw.decode().rstrip("\r\n")
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


def entries(chosen: random.Random, seed: int, count: int, *, slow: float = 0.0) -> Iterator[Entry]:
    """`slow` is the share of those whose answer takes long."""
    for number in range(count):
        word = f"w{seed}x{number}" + ("s" if chosen.random() < slow else "")
        kind = _KINDS[number] if number < len(_KINDS) else chosen.choice(_KINDS)
        yield Entry(kind, word, f"key-{word}", padding=_LARGE if chosen.random() < _LARGE_SHARE else 0)


async def work(client: Client, ledger: Ledger, moments: list[float], *, patience: float) -> None:
    """Each entry at its moment, in seconds; returns once all have been answered, or `patience` after that moment."""

    async def perform(entry: Entry, moment: float) -> None:
        await asyncio.sleep(moment)
        try:
            async with asyncio.timeout(patience):
                await client.perform(entry)
        except TimeoutError:
            entry.gave_up = f"was not through after {patience:.0f} s"
        except GaveUp as refusal:
            entry.gave_up = str(refusal)

    async with asyncio.TaskGroup() as group:
        for entry, moment in zip(ledger.entries, moments, strict=True):
            group.create_task(perform(entry, moment))
