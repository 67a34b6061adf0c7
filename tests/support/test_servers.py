"""The servers that every other test stands on."""

import nats
import pytest

pytestmark = pytest.mark.asyncio


async def test_nats_has_jetstream(nats_url):
    client = await nats.connect(nats_url)
    assert client.max_payload == 8 * 1024 * 1024
    await client.jetstream().account_info()
    await client.close()
