"""The postman: claims the mail that is due, sends it, a few at once, and settles what came of it.

Owner: webhook_dispatcher; any number of its processes share the work. No connection of the database is held while a
mail server is waited for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from libs.bus.hear import Heard
from libs.contracts import ids
from libs.contracts.errands import MailAsked
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database
from services.webhook_dispatcher import metrics, notices
from services.webhook_dispatcher.mail.message import Mail, message_id
from services.webhook_dispatcher.mail.outcome import Outcome
from services.webhook_dispatcher.mail.sending import SECONDS
from services.webhook_dispatcher.store import mail as store
from services.webhook_dispatcher.store import notifications

log = logging.getLogger(__name__)

# What is woken once mail is queued.
QUEUED = "webhook_dispatcher.mail"

_AT_ONCE = 8
_POLL_SECONDS = 1.0
_SETTLE_SECONDS = 10.0
_CLAIM_SECONDS = SECONDS + _SETTLE_SECONDS


def post(sender: str) -> Callable[[Connection, list[Heard[MailAsked]]], Awaitable[None]]:
    """What is done on hearing that mail is asked for: one row for each recipient, so that each is written to once."""

    async def apply(connection: Connection, heard: list[Heard[MailAsked]]) -> None:
        await store.add(connection, [mail for event in heard for mail in _mails(event, sender)])
        connection.wake_after(QUEUED)

    return apply


def _mails(event: Heard[MailAsked], sender: str) -> list[Mail]:
    fact = event.fact
    recipients = list(dict.fromkeys(fact.to))
    return [
        Mail(
            id=ids.derived(event.id, place),
            message_id=message_id(event.id, sender),
            workspace_id=fact.workspace_id,
            automation_id=fact.automation_id,
            run_id=fact.run_id,
            recipient=recipient,
            recipients=recipients,
            subject=fact.subject,
            text=fact.text,
            created_at=event.at,
            number=1,
        )
        for place, recipient in enumerate(recipients)
    ]


class Postman:
    def __init__(self, database: Database, attempt: Callable[[Mail], Awaitable[Outcome]]) -> None:
        self._database, self._attempt = database, attempt
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._closing = False

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `drain`. Woken when something was queued, and once a second for what has become due meanwhile."""
        while not self._closing:
            self._woken.clear()
            if (free := _AT_ONCE - len(self._tasks)) > 0:
                for mail in await store.claim(self._database, free, seconds=_CLAIM_SECONDS):
                    self._begin(mail)
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def drain(self) -> None:
        """Claim nothing more, and let the attempts under way end. One that is cut off will be made again."""
        self._closing = True
        self.wake()
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    def _begin(self, mail: Mail) -> None:
        task = asyncio.get_running_loop().create_task(self._send(mail))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def _send(self, mail: Mail) -> None:
        outcome = await self._attempt(mail)
        _tell(outcome)
        while True:
            try:
                return await self._settle(outcome)
            except Fault as fault:
                if fault.code is not Code.UNAVAILABLE:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def _settle(self, outcome: Outcome) -> None:
        async with self._database.transaction() as connection:
            await store.log(connection, outcome)
            if await store.settle(connection, outcome) and outcome.status == "failed":
                await notifications.tell(connection, [notices.of_mail(outcome)])

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A mail failed on our side", exc_info=error)
        self.wake()


def _tell(outcome: Outcome) -> None:
    metrics.MAIL.labels(outcome.status).inc()
    facts = {
        "mail": outcome.mail.id,
        "attempt": outcome.mail.number,
        "code": outcome.code,
        "error": outcome.error,
        "latency_ms": outcome.latency_ms,
        "retry_in": outcome.retry_in,
    }
    log.info("A mail was sent" if outcome.error is None else "A mail was not sent", extra=facts)
