"""The engine on one machine: servers, a language model and the five services, as children of this process.

Owner: deploy.local. It starts what others stand on first and stops it last, so that every service finishes its work.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from deploy.local import environment, model, ports, supervision
from deploy.local.children import Child
from deploy.local.credentials import Credentials, Secrets
from deploy.local.options import Options
from deploy.local.servers import Servers

MODEL = "model"

# What calls goes before what it calls.
_STOPPING = ("gateway", "webhook_dispatcher", "runner", "feedback", "retrieval", MODEL)


class Engine:
    """`known` is the account that the gateway makes where it is missing; `say` prints a line of progress."""

    def __init__(self, options: Options, secrets: Secrets, known: Credentials, say: Callable[[str], None]) -> None:
        self.options, self.secrets, self.known, self._say = options, secrets, known, say
        self.servers = Servers(options.data, secrets, self._ready)
        self._logs = options.data / "logs"
        self._children: list[Child] = []
        self._watching: list[asyncio.Task[None]] = []
        self._model_port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.options.ports[0]}"

    async def start_servers(self) -> None:
        """NATS and PostgreSQL are ready when this returns; the model is on its way. Raises Trouble."""
        self._logs.mkdir(parents=True, exist_ok=True)
        if self.options.model_url is None:
            await self._start_model()
        await self.servers.start()

    async def start_services(self) -> None:
        """The model and every service are ready when this returns. Raises Trouble."""
        workers = list(self._workers())
        for worker, port in zip(workers, ports.free(len(workers)), strict=True):
            await self._start_service(worker, port)
        waiting = [asyncio.ensure_future(self._until_ready(child)) for child in self._children]
        try:
            await asyncio.gather(*waiting)
        finally:
            _cancel(waiting)

    async def until_lost(self) -> None:
        """Watches over everything. Raises the Trouble with which the engine can't go on."""
        keeping = [supervision.keep_running(child, self._say) for child in self._children]
        watches = (*keeping, supervision.roll_logs(self._children), self.servers.until_one_ends())
        self._watching = [asyncio.ensure_future(watch) for watch in watches]
        await asyncio.gather(*self._watching)

    async def stop(self) -> None:
        """In order; what does not end in time is killed, and said."""
        _cancel(self._watching)
        for name in _STOPPING:
            await asyncio.gather(*(self._stop(child) for child in self._children if _service(child.name) == name))
        self.servers.stop()

    def kill(self) -> None:
        """At once, without waiting for anybody's work. What is committed is kept."""
        for child in self._children:
            child.kill()

    async def _stop(self, child: Child) -> None:
        if not await child.stop():
            self._say(f"  {child.name} did not stop in time and was killed")

    async def _start_model(self) -> None:
        [self._model_port] = ports.free(1)
        command = [sys.executable, "-m", "deploy.local.model", "--port", str(self._model_port)]
        command += ["--file", str(self.options.model_file)] if self.options.model_file else []
        await self._start(MODEL, command, dict(os.environ), f"http://127.0.0.1:{self._model_port}/health")

    async def _start_service(self, worker: str, port: int) -> None:
        service = _service(worker)
        env = environment.of(service, self.options, self.secrets, self.servers, private_port=port)
        command = [sys.executable, "-m", f"services.{service}"]
        await self._start(worker, command, env | self._own(service), f"http://127.0.0.1:{port}/readyz")

    def _own(self, service: str) -> dict[str, str]:
        match service:
            case "gateway":
                return environment.gateway(self.options, self.known)
            case "runner":
                url = self.options.model_url or f"http://127.0.0.1:{self._model_port}/v1"
                return environment.runner(self.options, url)
            case "retrieval":
                return environment.retrieval(self.options)
            case _:
                return {}

    async def _start(self, name: str, command: list[str], env: dict[str, str], ready_url: str) -> None:
        child = Child(name, command, env=env, log=self._logs / f"{name}.log", ready_url=ready_url)
        child.begin_log()
        self._children.append(child)
        await child.start()

    async def _until_ready(self, child: Child) -> None:
        await supervision.until_ready(child)
        self._ready(model.name_of(self.options.model_file) if child.name == MODEL else child.name, child.began)

    def _workers(self) -> Iterator[str]:
        for service, count in self.options.workers.items():
            yield from [service] if count == 1 else (f"{service}-{n}" for n in range(1, count + 1))

    def _ready(self, what: str, began: float) -> None:
        self._say(f"  {what:<20} ready in {time.monotonic() - began:4.1f} s")


def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _service(worker: str) -> str:
    return worker.partition("-")[0]
