"""Real servers for tests and benches: NATS and PostgreSQL of the wheels, in folders that go when they stop."""

import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local import nats, postgres
from libs.contracts import ids

PASSWORDS = {role: f"{role} in tests" for role in postgres.ROLES}


@contextmanager
def nats_server(*, port: int = -1) -> Iterator[str]:
    """A fresh NATS server; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="polyvox-nats-") as folder:
        server = nats.start(Path(folder), port=port)
        try:
            yield server.url
        finally:
            server.stop()


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[str]:
    """A fresh PostgreSQL server; yields its administrator's URL."""
    with tempfile.TemporaryDirectory(prefix="polyvox-postgres-") as folder:
        server = postgres.start(Path(folder), port=free_port(), password="postgres", fsync=fsync)
        try:
            yield server.url
        finally:
            server.stop()


def free_port() -> int:
    """Nobody else is given it, so that who listens there may go and come back."""
    return next(port for port in _PORTS if _binds(port))


def _binds(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _ports(worker: int) -> Iterator[int]:
    """A thousand for each of the processes that share the tests, over and over. They are below those which `make up`
    picks (deploy.local.ports) and which the kernel gives to outgoing connections.
    """
    own = range(10_000 + 1_000 * (worker % 10), 11_000 + 1_000 * (worker % 10))
    return cycle(random.sample(own, len(own)))


_PORTS = _ports(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


@dataclass(frozen=True)
class Databases:
    """One database with a schema for each service. `url` is its administrator's."""

    url: str

    def dsn(self, service: str) -> str:
        """The URL with which the service of that name connects."""
        return _with(self.url, user=service, password=PASSWORDS[service])


@asynccontextmanager
async def database(admin_url: str):
    """A fresh database with the five roles and schemas on the server of `admin_url`; dropped at the end."""
    name = f"test_{ids.new().hex}"
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        url = _with(admin_url, database=name)
        await postgres.make_roles(url, PASSWORDS)
        yield Databases(url)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


def _with(url: str, *, user: str = "", password: str = "", database: str = "") -> str:
    parts = urlsplit(url)
    credentials, _, address = parts.netloc.rpartition("@")
    if user:
        credentials = f"{user}:{password.replace(' ', '%20')}"
    return urlunsplit(
        parts._replace(netloc=f"{credentials}@{address}", path=f"/{database}" if database else parts.path)
    )


def given(variable: str) -> str | None:
    """The address of a server that the environment brings, e.g. TEST_POSTGRES_URL."""
    return os.environ.get(variable) or None
