"""OpenAPI documents where they lie: in JSON, or in YAML, which is read behind the walls of the sandbox.

A process of its own reads each one in YAML, and is over with it: that is rare, and may take its time.
"""

import asyncio
from typing import Any

import msgspec

from libs.contracts.faults import Code, Fault
from libs.egress import Egress
from services.runner import sandbox
from services.runner.sandbox.parent import Child

_LARGEST = 5 * 1024 * 1024
LARGEST_YAML = 1024 * 1024
_SECONDS = 15.0
_AT_ONCE = 2


class Documents:
    def __init__(self, egress: Egress) -> None:
        self._egress, self._room = egress, asyncio.Semaphore(_AT_ONCE)

    async def at(self, url: str, headers: dict[str, str]) -> dict[str, Any]:
        """Raises Fault: INVALID where there is none, UPSTREAM or TIMEOUT."""
        answer = await self._egress.request(
            "GET", url, headers=headers, deadline=_SECONDS, max_bytes=_LARGEST, redirects=3
        )
        if answer.status != 200:
            raise _wrong(f"{url} answered {answer.status}.")
        if answer.cut:
            raise _wrong(f"{url} has more than the {_LARGEST:,} bytes allowed.")
        try:
            document = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = await self._of_yaml(url, answer.body)
        if not isinstance(document, dict):
            raise _wrong(f"{url} is no OpenAPI document.")
        return document

    async def _of_yaml(self, url: str, text: bytes) -> Any:
        if len(text) > LARGEST_YAML:
            raise _wrong(f"{url} is no JSON, and YAML may have {LARGEST_YAML:,} bytes at most.")
        async with self._room:
            child = Child()
            try:
                answer = await child.ask(sandbox.Decode(text))
            finally:
                await child.close()
        if not isinstance(answer, sandbox.Decoded):
            reason = answer.reason if isinstance(answer, sandbox.Refused) else "it has no answer"
            raise _wrong(f"{url} is neither JSON nor YAML: {reason}.")
        try:
            return msgspec.json.decode(answer.json)
        except RecursionError:
            raise _wrong(f"{url} is nested too deeply.") from None


def _wrong(message: str) -> Fault:
    return Fault(Code.INVALID, message, field="document")
