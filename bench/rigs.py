"""What is measured: each a set of processes on the first core, spoken to from the second.

`direct` is the upstream itself, `proxy` one bare hop, `chain` our shape with nothing in it, `engine` the whole engine.
"""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from bench import load
from bench.machine import Tree
from tests.support.servers import nats_server

ENGINE_CORE, LOAD_CORE = 0, 1


class Rig(Struct, frozen=True):
    """A running set of processes; `actions` and `sessions` are the engine's, by the model's name. `streamed` is the
    request for a streamed answer, where it is another than the rig's own.
    """

    name: str
    url: str
    tree: Tree
    key: str = ""
    actions: dict[str, str] = {}
    sessions: list[str] = []
    streamed: bytes = b""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def process(core: int, *arguments: str, port: int | None = None) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A Python module on one core, ready once its port answers; ended at the end."""
    child = subprocess.Popen([sys.executable, "-m", *arguments], preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    try:
        while port is not None:
            try:
                (await load.Connection.open(f"http://127.0.0.1:{port}")).transport.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield child
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait, 60)


@asynccontextmanager
async def proxy(upstream: str) -> AsyncIterator[Rig]:
    port = free_port()
    async with process(ENGINE_CORE, "bench.proxy", str(port), upstream, port=port) as child:
        yield Rig("proxy", f"http://127.0.0.1:{port}", Tree(child.pid))


@asynccontextmanager
async def chain(upstream: str) -> AsyncIterator[Rig]:
    port = free_port()
    with nats_server() as url:
        server = next(each.pid for each in Tree(os.getpid()).processes if "nats-server" in each.name())
        os.sched_setaffinity(server, {ENGINE_CORE})
        async with (
            process(ENGINE_CORE, "bench.chain", "worker", upstream, url) as worker,
            process(ENGINE_CORE, "bench.chain", "front", str(port), url, port=port) as front,
        ):
            yield Rig("chain", f"http://127.0.0.1:{port}", Tree(front.pid, worker.pid, server))


@asynccontextmanager
async def engine(upstream: str, *, models: list[str], sessions: int) -> AsyncIterator[Rig]:
    """The engine as `make up` starts it, with an action for each of the upstream's models and sessions to talk in."""
    with tempfile.TemporaryDirectory(prefix="polyvox-bench-") as folder:
        ready, port = Path(folder, "ready.json"), free_port()
        arguments = ["--data", f"{folder}/data", "--port", str(port), "--ready-file", str(ready)]
        model = ["--model-url", f"{upstream}/v1", "--model-name", models[0]]
        async with process(ENGINE_CORE, "deploy.local", *arguments, *model) as child:
            while not ready.exists():
                if child.poll() is not None:
                    raise SystemExit("the engine did not start: see its output above")
                await asyncio.sleep(0.1)
            facts = json.loads(ready.read_text())
            rig = Rig("engine", f"http://127.0.0.1:{port}", Tree(child.pid), facts["api_key"])
            yield await _furnish(rig, upstream, facts["app"], models, sessions)


async def _furnish(rig: Rig, upstream: str, app: str, models: list[str], sessions: int) -> Rig:
    connection = await load.Connection.open(rig.url)

    async def create(path: str, body: object) -> str:
        status, text = await connection.text(load.post(f"{rig.url}/v1/{path}", msgspec.json.encode(body), rig.key))
        if status != 200:
            raise SystemExit(f"POST /v1/{path} answered {status}: {text.decode()}")
        return json.loads(text)["guid"]

    actions = {}
    for name in models:
        provider = {"llm": name, "provider": "bench", "url": f"{upstream}/v1", "key": "bench"}
        model = await create("models/", provider)
        prompt = {"name": name, "prompt": "Say {{word}}, please.", "app": app, "model": model, "action_type": "prompt"}
        actions[name] = await create("actions/create", prompt | {"system_message": "You are a bench."})
    guids = [await create("sessions/", {"action": actions[models[0]]}) for _ in range(sessions)]
    connection.transport.close()
    return msgspec.structs.replace(rig, actions=actions, sessions=guids)


def blocking(rig: Rig, model: str, *, turns: int = 4) -> "itertools.chain[bytes]":
    """Requests for whole answers: through the engine a session takes `turns` of them, elsewhere they are all alike."""
    return itertools.chain.from_iterable(_turns(rig, model, turns))


def _turns(rig: Rig, model: str, turns: int) -> Iterator[list[bytes]]:
    if rig.name != "engine":
        body = msgspec.json.encode({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
        yield from itertools.repeat([load.post(f"{rig.url}/v1/chat/completions", body)])
    for session in itertools.cycle(rig.sessions):
        body = {"action": rig.actions[model], "input": {"word": "something"}, "session": session}
        yield [load.post(f"{rig.url}/v1/actions", msgspec.json.encode(body), rig.key)] * turns


async def stream(rig: Rig, model: str) -> AsyncIterator[bytes]:
    """One streamed answer as its bytes come in."""
    connection = await load.Connection.open(rig.url)
    try:
        if rig.streamed:
            request = rig.streamed
        elif rig.name == "engine":
            body = {"action": rig.actions[model], "input": {"word": "something"}, "streaming": True}
            status, text = await connection.text(
                load.post(f"{rig.url}/v1/actions/", msgspec.json.encode(body), rig.key)
            )
            request = load.get(json.loads(text)["streaming_url"])
        else:
            body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
            request = load.post(f"{rig.url}/v1/chat/completions", msgspec.json.encode(body))
        status = await connection.send(request)
        if status != 200:
            raise ConnectionError(f"{rig.name} answered {status}")
        async for piece in connection.body():
            yield piece
    finally:
        connection.transport.close()
