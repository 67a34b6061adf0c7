"""Recorded pairs: what KlairoAI's clients send, what the gateway then asks the other services, and what they get."""

from pathlib import Path

import pytest
import pytest_asyncio

from tests.dialects import recorded
from tests.dialects.klairo import signing_in

pytestmark = pytest.mark.asyncio

EMAIL = "you@company.com"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def token(door) -> str:
    """Of the one whom the pairs log in."""
    return await signing_in.token(door, EMAIL)


@pytest.mark.parametrize("pair", recorded.pairs(Path(__file__).parent / "fixtures"))
async def test_a_recorded_pair(door, token, pair):
    await recorded.replay(door, pair, TOKEN=token, PASSWORD=signing_in.PASSWORD)
