"""retrieval as it is, with a probe in its event loop that writes down how long it was held up: to PROBE_FILE."""

import asyncio
import os
import time
from pathlib import Path

from libs.runtime.service import Service, run
from services.retrieval import __main__ as retrieval
from services.retrieval.settings import Settings

_EVERY = 0.005
_WORTH_TELLING = 0.002


async def build(service: Service, settings: Settings) -> None:
    await retrieval.build(service, settings)
    service.background("probe", probe)


async def probe() -> None:
    """For ever. A line says when a hold-up ended, how long it was, and how much of it this process computed."""
    with Path(os.environ["PROBE_FILE"]).open("a", buffering=1) as file:
        while True:
            before, cpu = time.monotonic(), time.process_time()
            await asyncio.sleep(_EVERY)
            now = time.monotonic()
            held = now - before - _EVERY
            if held > _WORTH_TELLING:
                print(now, held, min(held, time.process_time() - cpu), file=file)


if __name__ == "__main__":
    run("retrieval", Settings, build)
