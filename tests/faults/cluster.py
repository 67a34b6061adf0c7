"""The engine as separate processes on loopback: two of each service (one retrieval), NATS and PostgreSQL.

Each can be killed, paused and started again by name, on the ports it had, and each speaks to the servers through a
proxy of its own. The rule: every process is this one's child and ends with it, is ended by its own id, and keeps one
log for all its lives.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from deploy.local import nats, postgres
from deploy.local.children import ROOT, tied
from tests.support.proxy import Proxy, proxy
from tests.support.servers import PASSWORDS, Databases, free_port
from tests.support.services import MASTER_KEYS

# One retrieval: its embedded vectors are one process's.
SERVICES = (
    "retrieval",
    *("runner-1", "runner-2"),
    *("feedback-1", "feedback-2"),
    *("webhook_dispatcher-1", "webhook_dispatcher-2"),
    *("gateway-1", "gateway-2"),
)
SERVERS = ("nats", "postgres")
# Where a network's faults can be: between the services and a server, or between the runners and the model.
NETWORKS = ("net:nats", "net:postgres", "net:model")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class Member(Protocol):
    """What a fault can be done to."""

    async def start(self) -> None: ...
    async def kill(self) -> None: ...
    async def stop(self) -> None: ...
    def signal(self, number: signal.Signals) -> None: ...


class Service:
    """`python -m services.<name>`; `name` may have a number behind it."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, port: int) -> None:
        self._module, self._log = f"services.{name.partition('-')[0]}", log
        self._env = dict(env) | {"PRIVATE_PORT": str(port), "PATH": os.environ["PATH"]}
        self._ready_url = f"http://127.0.0.1:{port}/readyz"
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns as soon as it runs: see `ready`."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                cwd=ROOT,
                env=self._env,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied(),
            )

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Once it says so. Raises RuntimeError where it ended instead, TimeoutError where it takes too long."""
        async with asyncio.timeout(READY_SECONDS):
            while not await self._answers(session):
                assert self._process is not None
                if self._process.returncode is not None:
                    raise RuntimeError(f"{self._module} ended with status {self._process.returncode}: see {self._log}")
                await asyncio.sleep(0.05)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(self._ready_url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """In order. Raises RuntimeError where it did not end in time, or not with 0.

        One that has only just begun has no work to finish, and may end of the signal itself.
        """
        self.signal(signal.SIGTERM)
        assert self._process is not None
        try:
            async with asyncio.timeout(STOP_SECONDS):
                status = await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise RuntimeError(f"{self._module} did not end within {STOP_SECONDS:.0f} s of SIGTERM") from None
        if status not in (0, -signal.SIGTERM):
            raise RuntimeError(f"{self._module} ended with status {status} at SIGTERM")


class Server:
    """NATS or PostgreSQL. They are started by one thread, which outlives them: the kernel takes it for their parent."""

    def __init__(self, kind: str, folder: Path, thread: ThreadPoolExecutor, *, at_kill: signal.Signals) -> None:
        self._kind, self._folder, self._thread, self._at_kill = kind, folder, thread, at_kill
        self._running: nats.Nats | postgres.Postgres | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        assert self._running is not None
        return self._running.url

    async def start(self) -> None:
        self._running = await asyncio.get_running_loop().run_in_executor(self._thread, self._start)

    def _start(self) -> nats.Nats | postgres.Postgres:
        if self._kind == "nats":
            return nats.start(self._folder, port=self.port)
        return postgres.start(self._folder, port=self.port, password="postgres", fsync=False)

    def signal(self, number: signal.Signals) -> None:
        assert self._running is not None
        self._running.process.send_signal(number)

    async def kill(self) -> None:
        """`at_kill` is how: SIGQUIT is PostgreSQL's immediate shutdown, which is its crash."""
        self.signal(self._at_kill)
        await self._ended()

    def wipe(self) -> None:
        """Whatever NATS had stored, while it is down."""
        shutil.rmtree(self._folder / "streams")

    async def stop(self) -> None:
        assert self._running is not None
        await asyncio.get_running_loop().run_in_executor(self._thread, self._running.stop)

    async def _ended(self) -> None:
        assert self._running is not None
        await asyncio.get_running_loop().run_in_executor(self._thread, self._running.process.wait, 30)


class Cluster:
    """`members` by name; `folder` has everything they write, `logs()` is what they say."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, model_url: str) -> None:
        self.folder, self._session, self._model_url = folder, session, model_url
        self._stack = AsyncExitStack()
        self._thread = ThreadPoolExecutor(1, "servers")
        self.nats = Server("nats", folder / "nats", self._thread, at_kill=signal.SIGKILL)
        self.postgres = Server("postgres", folder / "postgres", self._thread, at_kill=signal.SIGQUIT)
        self.services: dict[str, Service] = {}
        self.links: dict[str, dict[str, Proxy]] = {network: {} for network in NETWORKS}
        gateways = [name for name in SERVICES if name.startswith("gateway")]
        self._public_ports = {name: free_port() for name in gateways}

    @property
    def urls(self) -> list[str]:
        """Every gateway's."""
        return [f"http://127.0.0.1:{port}" for port in self._public_ports.values()]

    @property
    def databases(self) -> Databases:
        return Databases(self.postgres.url)

    @property
    def members(self) -> dict[str, Member]:
        return {"nats": self.nats, "postgres": self.postgres, **self.services}

    async def start(self) -> None:
        await self.nats.start()
        await self.postgres.start()
        await postgres.make_roles(self.postgres.url, PASSWORDS)
        await self._lay_links()
        for name in SERVICES:
            self.services[name] = Service(name, self._env(name), self.folder / f"{name}.log", free_port())
            await self.services[name].start()
        await self.ready()

    async def _lay_links(self) -> None:
        model = urlsplit(self._model_url)
        ends = {"net:nats": self.nats.port, "net:postgres": self.postgres.port, "net:model": model.port or 80}
        for network, port in ends.items():
            # The model's address is one for all runners: the installation keeps it in the database.
            for name in ("model",) if network == "net:model" else SERVICES:
                self.links[network][name] = await self._stack.enter_async_context(proxy("127.0.0.1", port))

    async def ready(self, *names: str) -> None:
        """Once every service, or each of these, says so."""
        await asyncio.gather(*(self.services[name].ready(self._session) for name in names or self.services))

    async def end(self) -> None:
        """At once: nobody's work is waited for."""
        for service in self.services.values():
            await service.kill()
        for server in (self.postgres, self.nats):
            server.signal(signal.SIGCONT)
            await server.stop()
        self._thread.shutdown()
        await self._stack.aclose()

    def logs(self) -> list[Path]:
        return [*self.folder.glob("*.log"), *self.folder.glob("nats/*.log"), *self.folder.glob("postgres/*.log")]

    def _env(self, name: str) -> dict[str, str]:
        service = name.partition("-")[0]
        model_url = self.links["net:model"]["model"].before(self._model_url)
        common = {
            "NATS_URL": self.links["net:nats"][name].before(self.nats.url),
            "POSTGRES_DSN": self.links["net:postgres"][name].before(self.databases.dsn(service)),
            "POSTGRES_POOL_SIZE": "4",
            "BLOBS_URL": (self.folder / "blobs").as_uri(),
            "MASTER_KEYS": MASTER_KEYS,
            "EGRESS_ALLOW_CIDRS": "127.0.0.0/8",
        }
        own = {
            "gateway": {"LISTEN": f"127.0.0.1:{self._public_ports.get(name)}"},
            "runner": {"DEFAULT_MODEL_URL": model_url, "DEFAULT_MODEL_NAME": "scripted"},
            "webhook_dispatcher": {"DELIVERY_SECONDS": "2", "DELIVERY_RETRIES": "1,1,1,1"},
            "retrieval": {"VECTORS_URL": f"embedded://{self.folder / 'vectors'}"},
        }
        return common | own.get(service, {})


@asynccontextmanager
async def cluster(model_url: str) -> AsyncGenerator[Cluster]:
    """A fresh one, ready; its folder goes with it."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="polyvox-faults-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Cluster(folder, session, model_url)
        stack.push_async_callback(made.end)
        await made.start()
        yield made
