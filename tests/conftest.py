"""Fixtures for every test: real servers, started once and as late as possible."""

from collections.abc import AsyncIterator, Iterator

import nats
import nats.js.errors
import pytest
import pytest_asyncio

from tests.support import servers

_LONGEST_ID = 60


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files are no names: they are long, and made anew by each process that takes part in the tests."""
    return argname if isinstance(val, bytes | str) and len(val) > _LONGEST_ID else None


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
