"""Fixtures for every test: real servers, started once and as late as possible.

The rule: a machine that stands still for some seconds, and a day that ends, fail no test.
"""

import time
from collections.abc import AsyncIterator, Iterator

import nats
import nats.js.errors
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.support import servers

_LONGEST_ID = 60
# What a property is tried with may take as long as the machine wants.
_PATIENT = "patient"
settings.register_profile(
    _PATIENT,
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(_PATIENT)
# Where a service would rather refuse than wait, it is told to wait so long.
_PATIENCE_SECONDS = 30.0
_PATIENCES = (
    "libs.bus.serve._PATIENCE",
    "libs.postgres.database._PATIENCE",
    "services.gateway.limits.permits._PATIENCE",
    "services.runner.sandbox.parent.DEADLINE",
)
_DAY_SECONDS = 86_400
# What the tests of one module take, and more.
_LAST_SECONDS = 60


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files are no names: they are long, and made anew by each process that takes part in the tests."""
    return argname if isinstance(val, bytes | str) and len(val) > _LONGEST_ID else None


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """A server that stalls is waited for; the tests of impatience set their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _PATIENCES:
            patch.setattr(name, _PATIENCE_SECONDS)
        yield


@pytest.fixture(scope="module", autouse=True)
def _within_a_day() -> None:
    """What is counted by the day of UTC would be counted on two: no module begins in the last minute of one."""
    left = _DAY_SECONDS - time.time() % _DAY_SECONDS
    if left < _LAST_SECONDS:
        time.sleep(left)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nats_url() -> AsyncIterator[str]:
    """A NATS server without streams: one of this module's own, or TEST_NATS_URL with its stream of events deleted."""
    given = servers.given("TEST_NATS_URL")
    if given is not None:
        await _forget_events(given)
        yield given
        return
    with servers.nats_server() as url:
        yield url


async def _forget_events(url: str) -> None:
    client = await nats.connect(url)
    try:
        await client.jetstream().delete_stream("EVENTS")
    except nats.js.errors.NotFoundError:
        pass
    finally:
        await client.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The administrator's URL of a PostgreSQL server: one of this session's own, or TEST_POSTGRES_URL."""
    given = servers.given("TEST_POSTGRES_URL")
    if given is not None:
        yield given
        return
    with servers.postgres_server() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def databases(postgres_url: str) -> AsyncIterator[servers.Databases]:
    """A fresh database with the five roles and their schemas: `databases.dsn("runner")`."""
    async with servers.database(postgres_url) as databases:
        yield databases
