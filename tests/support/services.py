"""Services in the tests' own process, built and started by the same `build` as `python -m services.<name>`."""

import asyncio
import base64
import importlib
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import msgspec

from libs.runtime.service import Service, started
from tests.support.servers import Databases

MASTER_KEYS = f"test:{base64.b64encode(b'not a secret: this is for tests!').decode()}"


@asynccontextmanager
async def running(
    name: str, nats_url: str, databases: Databases, *, instance: str = "", **settings: Any
) -> AsyncGenerator[Service]:
    """A service, ready; stopped in order at the end. `settings` go over the defaults."""
    module = importlib.import_module(f"services.{name}.__main__")
    given = defaults(name, nats_url, databases) | {"stop_seconds": 10.0} | settings
    chosen = msgspec.convert(given, module.Settings)
    async with started(name, chosen, module.build, stopping=asyncio.Event(), instance=instance) as service:
        assert service is not None, f"{name} was asked to stop before it was ready"
        yield service


def defaults(name: str, nats_url: str, databases: Databases) -> dict[str, Any]:
    """The settings of a service among the tests' own servers.

    The services of one database share a folder of blobs. Loopback may be requested.
    """
    return {
        "nats_url": nats_url,
        "postgres_dsn": databases.dsn(name),
        "postgres_pool_size": 4,
        "blobs_url": f"file://{blobs_folder(databases.url)}",
        "master_keys": MASTER_KEYS,
        "egress_allow_cidrs": "127.0.0.0/8,::1/128",
    }


@cache
def _folder(_: str) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="polyvox-blobs-")


def blobs_folder(database_url: str) -> str:
    """The folder of the services of one database, gone when the tests end."""
    return _folder(database_url).name
