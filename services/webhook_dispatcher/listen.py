"""`listen`: what a workspace's webhooks would be sent, printed or posted to a program on the developer's own machine.

Owner: webhook_dispatcher. No tunnel and no public address: the command asks the service's own tables, as an endpoint of
its own that lasts as long as it listens. Each delivery is made once, signed with the secret that is printed first.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from libs.contracts import ids, public_events
from libs.contracts.faults import Fault
from libs.egress import Egress
from libs.postgres.database import Database
from libs.runtime.commands.answers import Answer
from libs.runtime.commands.connected import answered
from services.webhook_dispatcher import events, signing
from services.webhook_dispatcher.store import listening as store
from services.webhook_dispatcher.store.listening import Told

# Whoever runs the command may post wherever this machine can.
_ANYWHERE = "0.0.0.0/0,::/0"
_POLL_SECONDS = 0.5
_BATCH = 100


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    with suppress(KeyboardInterrupt):
        return answered("webhook_dispatcher", lambda database: _listen(database, options), json=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.webhook_dispatcher listen",
        description="Print what a workspace's webhooks are sent, or post it to a URL. Reads POSTGRES_DSN.",
    )
    parser.add_argument("--workspace", required=True, type=_workspace, metavar="ID", help="whose events")
    parser.add_argument(
        "--events", nargs="+", default=[public_events.ALL], metavar="NAME", help="names, prefixes (x.*), or *"
    )
    parser.add_argument("--forward", metavar="URL", help="post them there, as a webhook")
    parser.add_argument("--secret", type=_secret, metavar="whsec_…", help="sign with this one (a new one)")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="end after so many")
    return parser


def _workspace(text: str) -> UUID:
    if (id := ids.parse(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no id")
    return id


def _secret(text: str) -> str:
    if not signing.is_secret(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no secret: expected {signing.PREFIX} and base64")
    return text


async def _listen(database: Database, options: argparse.Namespace) -> Answer:
    wanted, secret, id = events.subscription(options.events), options.secret or signing.new_secret(), ids.new()
    egress = Egress(_ANYWHERE)
    if options.forward:
        egress.check(options.forward)
        _say(f"Signed with {secret}")
    await store.begin(database, id, options.workspace, wanted)
    try:
        _say("Listening; Ctrl-C ends it.")
        receiver = _Receiver(egress, options.forward, secret)
        made = await _made(database, id, receiver, options.count, until=_interrupted())
    finally:
        await store.end(database, id)
        await egress.close()
    return Answer(made, [], (), (f"{made} deliveries",))


def _interrupted() -> asyncio.Event:
    """Set by Ctrl-C. Cancelling would not do: whatever waits for the database just then may swallow it."""
    interrupted, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    return interrupted


async def _made(database: Database, id: UUID, receiver: "_Receiver", count: int, *, until: asyncio.Event) -> int:
    """How many were made, once they are `count`, or `until` is set."""
    seen: set[UUID] = set()
    while not until.is_set() and (not count or len(seen) < count):
        told = await store.told(database, id, seen, min(_BATCH, count - len(seen)) if count else _BATCH)
        for delivery in told:
            seen.add(delivery.id)
            _say(await receiver.take(delivery))
        if not told:
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), _POLL_SECONDS)
    return len(seen)


class _Receiver:
    def __init__(self, egress: Egress, url: str | None, secret: str) -> None:
        self._egress, self._url, self._keys = egress, url, signing.Keys([secret])

    async def take(self, delivery: Told) -> str:
        """Posted, where there is somewhere to post it to; a line that tells of it."""
        if not self._url:
            return delivery.body.decode()
        at = int(datetime.now(UTC).timestamp())
        headers = signing.headers(delivery.event, delivery.id, delivery.body, keys=self._keys, at=at)
        try:
            answer = await self._egress.request(
                "POST", self._url, headers={"Content-Type": "application/json", **headers}, body=delivery.body
            )
        except Fault as fault:
            return f"{delivery.event} {delivery.id}: {fault.message}"
        return f"{delivery.event} {delivery.id}: {answer.status} in {answer.latency_ms:.0f} ms"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
