"""Requests that steps make: through the egress guard, with an Idempotency-Key of the step's own, their headers opened.

What a server answers with 2xx is the step's output; anything else is a Fault.
"""

from typing import Any

import msgspec

from libs.contracts.automation_steps import HttpRequest
from libs.contracts.faults import Code, Fault
from libs.egress import Egress, Response
from services.runner.automations.filling import Filling
from services.runner.automations.parsing import parsed
from services.runner.automations.soundness import under
from services.runner.keys import Keys
from services.runner.store.automation_steps import Claimed
from services.runner.tools.headers import check_headers, renewed
from services.runner.tools.http import text_of

_LARGEST = 256 * 1024
_LONGEST_SAID = 500
_REDIRECTS = 3
_KEY = "Idempotency-Key"
# What another try may put right, though the server did answer.
_AGAIN = frozenset({408, 425, 429})


class Requests:
    def __init__(self, egress: Egress, keys: Keys) -> None:
        self._egress, self._keys = egress, keys

    async def send(self, step: Claimed, request: HttpRequest, filling: Filling, where: str) -> dict[str, Any]:
        """`status` and `body`. Raises Fault: INVALID where asking again is of no use, else UPSTREAM or TIMEOUT."""
        with under(where):
            url = await filling.address(request.url, f"{where}.url")
            body, headers = await _body(request, filling, where), await self._headers(step, request, filling, where)
            return _output(await self._answer(request, url, body, headers))

    async def _answer(self, request: HttpRequest, url: str, body: bytes, headers: dict[str, str]) -> Response:
        if body and not isinstance(request.body, str):
            headers = {"Content-Type": "application/json"} | headers
        return await self._egress.request(
            request.method,
            url,
            headers=headers,
            body=body,
            deadline=request.timeout,
            max_bytes=_LARGEST,
            redirects=_REDIRECTS,
        )

    async def _headers(self, step: Claimed, request: HttpRequest, filling: Filling, where: str) -> dict[str, str]:
        """The maker's own go before ours."""
        known = self._keys.open_steps(step.automation_id, step.sealed_headers).get(step.name, {})
        given = renewed(request.headers, known)
        filled = {name: await filling.text(value, f"{where}.headers.{name}") for name, value in given.items()}
        check_headers(filled)
        taken = {name.lower() for name in filled}
        return filled if _KEY.lower() in taken else {_KEY: f"{step.run_id}-{step.name}"} | filled


async def _body(request: HttpRequest, filling: Filling, where: str) -> bytes:
    if request.body is None:
        return b""
    if isinstance(request.body, str):
        return (await filling.text(request.body, f"{where}.body")).encode()
    return msgspec.json.encode(await filling.value(request.body, f"{where}.body"))


def _output(answer: Response) -> dict[str, Any]:
    if not 200 <= answer.status < 300:
        text = _text(answer) or ""
        code = Code.UPSTREAM if answer.status >= 500 or answer.status in _AGAIN else Code.INVALID
        raise Fault(code, f"The server answered {answer.status}{text and ': ' + text[:_LONGEST_SAID]}")
    if answer.cut:
        raise Fault(Code.TOO_LARGE, f"The server's answer is over {_LARGEST >> 10} KiB.")
    return {"status": answer.status, "body": _read(answer)}


def _text(answer: Response) -> str | None:
    """None for what is none."""
    try:
        return text_of(answer)
    except Fault:
        return None


def _read(answer: Response) -> Any:
    text = _text(answer)
    if text is None or "json" not in answer.headers.get("content-type", ""):
        return text
    return parsed(text, otherwise=text)
