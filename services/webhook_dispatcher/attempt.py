"""One attempt: a delivery signed and posted, and what it came to.

Owner: webhook_dispatcher. Nothing that a receiver does raises: it is the attempt's outcome.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from libs.contracts.deliveries import Attempt
from libs.contracts.faults import Fault
from libs.egress import Egress, Response
from libs.runtime.sealing import SealBroken
from services.webhook_dispatcher import signing
from services.webhook_dispatcher.endpoints import Secrets
from services.webhook_dispatcher.outcome import Outcome, decide
from services.webhook_dispatcher.store.claims import Claimed

log = logging.getLogger(__name__)

_EXCERPT_BYTES = 1024
# A little more is read than kept, so that the connection of a receiver with a usual answer can be used again.
_READ_BYTES = 16 * 1024
_DISABLED = "This webhook was disabled."
_FORGOTTEN = "What was to be sent is no longer kept."


class Attempts:
    """`seconds` for each of them; `steps` are the seconds between them."""

    def __init__(self, egress: Egress, secrets: Secrets, *, seconds: float, steps: Sequence[float]) -> None:
        self._egress, self._secrets, self._seconds, self._steps = egress, secrets, seconds, steps

    async def attempt(self, claimed: Claimed) -> Outcome:
        at, began = datetime.now(UTC), time.perf_counter()
        if not claimed.target.active or claimed.body is None:
            reason = _FORGOTTEN if claimed.target.active else _DISABLED
            return Outcome(claimed.id, claimed.target.id, Attempt(claimed.number, at, 0.0, error=reason), None)
        try:
            answer = await self._post(claimed, claimed.body, at)
        except (Fault, SealBroken) as failure:
            latency = round((time.perf_counter() - began) * 1000, 2)
            attempt = Attempt(claimed.number, at, latency, error=self._reason(claimed, failure))
            return decide(claimed.id, claimed.target.id, attempt, steps=self._steps)
        attempt = Attempt(claimed.number, at, answer.latency_ms, answer.status, _error(answer), _excerpt(answer))
        wants = answer.headers.get("retry-after")
        return decide(claimed.id, claimed.target.id, attempt, steps=self._steps, wants=wants)

    async def _post(self, claimed: Claimed, body: bytes, at: datetime) -> Response:
        keys = self._secrets.keys(claimed.target.id, claimed.target.secrets, claimed.target.signing_key)
        signed = signing.headers(claimed.event, claimed.id, body, keys=keys, at=int(at.timestamp()))
        return await self._egress.request(
            "POST",
            claimed.target.url,
            headers={"Content-Type": "application/json", "User-Agent": "Polyvox-Webhooks", **signed},
            body=body,
            deadline=self._seconds,
            max_bytes=_READ_BYTES,
        )

    def _reason(self, claimed: Claimed, failure: Fault | SealBroken) -> str:
        """As the endpoint's owner sees it: our own keys are none of their business."""
        if isinstance(failure, Fault):
            return failure.message
        log.error("A webhook secret does not open", extra={"endpoint": claimed.target.id, "error": str(failure)})
        return "The signing secret of this webhook can't be read at the moment."


def _error(answer: Response) -> str | None:
    if 200 <= answer.status < 300:
        return None
    if 300 <= answer.status < 400:
        return f"The receiver answered {answer.status}: redirects are not followed."
    return f"The receiver answered {answer.status}."


def _excerpt(answer: Response) -> str:
    return answer.body[:_EXCERPT_BYTES].decode(errors="replace")
