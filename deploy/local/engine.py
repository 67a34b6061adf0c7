"""The engine on one machine: NATS, PostgreSQL, a language model and the five services, as children of this process.

Owner: deploy.local. It starts what others stand on first and stops it last, so that every service finishes its work.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from deploy.local import daemons, environment, model, nats, ports, postgres, supervision
from deploy.local.children import ROOT, Child
from deploy.local.credentials import Secrets
from deploy.local.options import Options
from deploy.local.trouble import Trouble

T = TypeVar("T")

# What calls goes before what it calls.
_STOPPING = ("gateway", "webhook_dispatcher", "runner", "feedback", "retrieval", "model")


class Engine:
    """`say` prints a line of progress. `lost` is done, with the Trouble, when the engine can't go on."""

    def __init__(self, options: Options, secrets: Secrets, say: Callable[[str], None]) -> None:
        self.options, self.secrets, self._say = options, secrets, say
        self.logs = options.data / "logs"
        self.nats: nats.Nats | None = None
        self.postgres: postgres.Postgres | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://{ports.hosts()[0]}:{self.options.ports[0]}"

    @property
    def nats_url(self) -> str:
        """With the operator's name and password, who may see and say everything."""
        assert self.nats is not None
        return environment.nats_url(self.nats.url, "operator", self.secrets.nats_operator)

    @property
    def postgres_url(self) -> str:
        """The administrator's."""
        assert self.postgres is not None
        return self.postgres.url

    async def until_lost(self) -> None:
        """Raises the Trouble with which the engine can't go on."""
        await self.lost

    async def start(self) -> None:
        """Returns once all of it is ready. Raises Trouble."""
        self.logs.mkdir(parents=True, exist_ok=True)
        model_port, postgres_port, *private = ports.free(2 + sum(self.options.workers.values()))
        awaited = [] if self.options.model_url else [await self._start_model(model_port)]
        self._start_nats()
        await self._start_postgres(postgres_port)
        awaited += [await self._start_service(*each, model_port) for each in zip(self._workers(), private, strict=True)]
        await self._until_ready(awaited)
        self._watch()

    async def stop(self) -> None:
        """In order; what does not end in time is killed, and said."""
        for task in self._tasks:
            task.cancel()
        for service in _STOPPING:
            of_it = [child for child in self._children if child.name.split("-")[0] == service]
            for child, obeyed in zip(of_it, await asyncio.gather(*(child.stop() for child in of_it)), strict=True):
                if not obeyed:
                    self._say(f"{child.name} did not stop in time and was killed")
        if self.nats is not None:
            self.nats.stop()
        if self.postgres is not None:
            self.postgres.stop()

    def kill(self) -> None:
        """At once, without waiting for anybody's work. What is committed is kept."""
        for child in self._children:
            child.kill()

    def _start_nats(self) -> None:
        began = time.monotonic()
        folder = self.options.data / "nats"
        users = os.path.relpath(ROOT / "deploy" / "nats-users.conf", folder.resolve())
        with _environment(environment.nats_passwords(self.secrets)):
            self.nats = _started(lambda: nats.start(folder, more=f"include {users!r}"))
        self._ready("NATS", began)

    async def _start_postgres(self, port: int) -> None:
        began = time.monotonic()
        folder = self.options.data / "postgres"
        if not (folder / "cluster").exists():
            self._say("  making the database (once)")
        self.postgres = _started(lambda: postgres.start(folder, port=port, password=self.secrets.postgres_admin))
        await postgres.make_roles(self.postgres.url, self.secrets.postgres)
        self._ready("PostgreSQL", began)

    async def _start_model(self, port: int) -> tuple[Child, str]:
        file = self.options.model_file
        command = [sys.executable, "-m", "deploy.local.model", "--port", str(port)]
        command += ["--file", str(file)] if file else []
        return await self._start_child("model", command, dict(os.environ)), f"http://127.0.0.1:{port}/health"

    async def _start_service(self, worker: str, port: int, model_port: int) -> tuple[Child, str]:
        assert self.nats is not None
        assert self.postgres is not None
        service = worker.split("-")[0]
        url = self.options.model_url or f"http://127.0.0.1:{model_port}/v1"
        env = environment.of(
            service,
            self.options,
            self.secrets,
            nats_url=self.nats.url,
            postgres_url=self.postgres.url,
            private_port=port,
            model_url=url,
        )
        command = [sys.executable, "-m", f"services.{service}"]
        return await self._start_child(worker, command, env), f"http://127.0.0.1:{port}/readyz"

    async def _start_child(self, name: str, command: list[str], env: dict[str, str]) -> Child:
        child = Child(name, command, env=env, logs=self.logs)
        child.roll()
        self._children.append(child)
        await child.start()
        return child

    async def _until_ready(self, awaited: list[tuple[Child, str]]) -> None:
        began = time.monotonic()

        async def one(child: Child, url: str) -> None:
            await supervision.until_ready(child, url)
            self._ready(model.name_of(self.options.model_file) if child.name == "model" else child.name, began)

        tasks = [asyncio.ensure_future(one(*each)) for each in awaited]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def _workers(self) -> Iterator[str]:
        for service, count in self.options.workers.items():
            yield from [service] if count == 1 else (f"{service}-{n + 1}" for n in range(count))

    def _watch(self) -> None:
        assert self.nats is not None
        assert self.postgres is not None
        data = self.options.data
        watching = [supervision.keep_running(child, self._say) for child in self._children]
        watching += [
            supervision.until_ended("NATS", self.nats.process, data / "nats" / "nats.log"),
            supervision.until_ended("PostgreSQL", self.postgres.process, data / "postgres" / "postgres.log"),
            supervision.roll_logs(self._children),
        ]
        self._tasks = [asyncio.ensure_future(each) for each in watching]
        for task in self._tasks:
            task.add_done_callback(self._watched)

    def _watched(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (trouble := task.exception()) and not self.lost.done():
            self.lost.set_exception(trouble)

    def _ready(self, what: str, began: float) -> None:
        self._say(f"  {what:<20} ready  {time.monotonic() - began:5.1f} s")


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """For what is started within, and for nobody after."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def _started(start: Callable[[], T]) -> T:
    try:
        return start()
    except daemons.StartError as error:
        raise Trouble(str(error)) from None
