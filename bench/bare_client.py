"""The floor under webhooks: aiohttp's client posts one body, signed each time, as fast as it can; nothing is logged.

`python -m bench.bare_client URL SECONDS` prints how many a second, and the CPU seconds that a thousand took.
"""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop

from libs.contracts import ids
from services.webhook_dispatcher import signing

AT_ONCE = 64
BODY = json.dumps({"event": "feedback.created", "data": {"text": "x" * 300}}).encode()


async def main(url: str, seconds: float) -> None:
    keys, deadline = signing.Keys([signing.new_secret()]), time.monotonic() + seconds
    made, spent = 0, time.process_time()

    async def post() -> None:
        nonlocal made
        while time.monotonic() < deadline:
            id = ids.new()
            headers = signing.headers("feedback.created", id, BODY, keys=keys, at=int(time.time()))
            async with session.post(url, data=BODY, headers=headers) as answer:
                await answer.read()
            made += 1

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        await asyncio.gather(*(post() for _ in range(AT_ONCE)))
    spent = time.process_time() - spent
    sys.stdout.write(json.dumps({"per_second": made / seconds, "cpu_s_per_1000": spent * 1000 / made}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
