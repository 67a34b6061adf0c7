"""Recorded pairs: what KlairoAI's clients send, what the gateway then asks the other services, and what they get."""

from pathlib import Path

import pytest

from tests.dialects import recorded

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("pair", recorded.pairs(Path(__file__).parent / "fixtures"))
async def test_a_recorded_pair(door, pair):
    await recorded.replay(door, pair)
