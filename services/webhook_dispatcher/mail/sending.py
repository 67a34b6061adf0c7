"""Sending: one attempt at a mail, on a connection of its own.

Nothing that a server does raises: it is the attempt's answer. The only import of the SMTP library.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parseaddr

import aiosmtplib
from aiosmtplib import SMTP
from msgspec import structs

from services.webhook_dispatcher.mail.message import Mail, written
from services.webhook_dispatcher.mail.outcome import Answer, Outcome, decide
from services.webhook_dispatcher.mail.server import Server

log = logging.getLogger(__name__)

# For all of an attempt.
SECONDS = 60.0
_NO_SERVER = "This installation sends no mail: its operator has not set SMTP_URL."
_LONGEST_SAID = 300


class Sender:
    """`address` is whom mail is from; `steps` are the seconds between attempts."""

    def __init__(self, server: Server | None, address: str, *, steps: Sequence[float]) -> None:
        self._server, self._address, self._steps = server, address, steps

    async def attempt(self, mail: Mail) -> Outcome:
        at, began = datetime.now(UTC), time.perf_counter()
        answer = await self._answer(mail)
        latency = round((time.perf_counter() - began) * 1000, 2)
        return decide(mail, answer, at=at, latency_ms=latency, steps=self._steps)

    async def _answer(self, mail: Mail) -> Answer:
        """Without whom the mail is for, whom servers like to name: the log is kept for longer than that."""
        answer = await self._tried(mail)
        if answer.error and mail.recipient:
            return structs.replace(answer, error=answer.error.replace(mail.recipient, "…"))
        return answer

    async def _tried(self, mail: Mail) -> Answer:
        if self._server is None:
            return Answer(error=_NO_SERVER, final=True)
        try:
            message = written(mail, self._address)
            async with asyncio.timeout(SECONDS):
                return await self._sent(self._server, mail, message)
        except ValueError as wrong:
            return Answer(error=f"It can't be written: {wrong}.", final=True)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _refused(refused.recipients[0], final=True)
        except aiosmtplib.SMTPAuthenticationError as refused:
            # The operator may mend it meanwhile.
            return _refused(refused, final=False)
        except aiosmtplib.SMTPConnectResponseError as refused:
            return _refused(refused, final=False)
        except aiosmtplib.SMTPResponseException as refused:
            return _refused(refused, final=True)
        except aiosmtplib.SMTPNotSupported as wrong:
            return Answer(error=f"The mail server can't do what this takes: {wrong.message[:_LONGEST_SAID]}")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            log.info("The mail server was not reached", extra={"error": str(error)})
            return Answer(error="The mail server could not be reached, or broke off.")

    async def _sent(self, server: Server, mail: Mail, message: bytes) -> Answer:
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            timeout=SECONDS,
            use_tls=server.tls,
            start_tls=server.starttls,
        )
        async with client:
            options = [] if mail.plain else ["SMTPUTF8", "BODY=8BITMIME"]
            await client.sendmail(parseaddr(self._address)[1], [mail.recipient], message, mail_options=options)
        return Answer()


def _refused(refused: aiosmtplib.SMTPResponseException, *, final: bool) -> Answer:
    said = " ".join(refused.message.split())[:_LONGEST_SAID]
    error = f"The mail server answered {refused.code}: {said}"
    return Answer(refused.code, error, final and 500 <= refused.code < 600)
