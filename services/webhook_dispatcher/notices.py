"""Notices: what a workspace is told of what could not be sent: deliveries and mail that failed for good, and endpoints
given up on.

Owner: webhook_dispatcher. Pure. What fails on one day at one endpoint, or of one automation, is one notice,
so that a dead receiver fills nobody's list.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import ids
from services.webhook_dispatcher.mail.outcome import Outcome

FAILED = "webhook_failed"
DISABLED = "webhook_disabled"
MAIL_FAILED = "mail_failed"

GONE = "it answered 410, that it is gone"
DEAD = "everything that was sent to it in five days failed"


class Notice(Struct, frozen=True):
    """`about` are the runs, contacts and automations that it tells of: it is gone with any of them."""

    id: UUID
    workspace_id: UUID
    type: str
    title: str
    body: str
    metadata: dict[str, Any]
    times: int = 1
    about: list[UUID] = []


class Failed(Struct, frozen=True):
    """A delivery that will not be tried again."""

    id: UUID
    endpoint_id: UUID
    workspace_id: UUID
    url: str
    event: str


class Disabled(Struct, frozen=True):
    """An endpoint to which nothing is sent any more."""

    endpoint_id: UUID
    workspace_id: UUID
    url: str


def of_failed(failed: Sequence[Failed], *, day: date) -> Iterator[Notice]:
    for endpoint_id, group in groupby(sorted(failed, key=_endpoint), key=_endpoint):
        *_, last = together = list(group)
        yield Notice(
            id=ids.named(endpoint_id, f"{FAILED} {day}"),
            workspace_id=last.workspace_id,
            type=FAILED,
            title="Webhook deliveries failed",
            body=f"After its last attempt a delivery of {last.event} to {last.url} has failed.",
            metadata={"webhook_id": str(endpoint_id), "delivery_id": str(last.id), "event": last.event},
            times=len(together),
        )


def of_disabled(disabled: Disabled, reason: str, *, day: date) -> Notice:
    return Notice(
        id=ids.named(disabled.endpoint_id, f"{DISABLED} {day}"),
        workspace_id=disabled.workspace_id,
        type=DISABLED,
        title="Webhook disabled",
        body=f"Nothing is sent to {disabled.url} any more: {reason}.",
        metadata={"webhook_id": str(disabled.endpoint_id)},
    )


def of_mail(outcome: Outcome) -> Notice:
    """Whom it was for is not said whole: nobody would think of erasing it here."""
    mail, day = outcome.mail, outcome.at.date()
    return Notice(
        id=ids.named(mail.workspace_id, f"{MAIL_FAILED} {mail.automation_id} {day}"),
        workspace_id=mail.workspace_id,
        type=MAIL_FAILED,
        title="A mail was not sent",
        body=f"To {_masked(mail.recipient)}: {outcome.error}",
        metadata={"automation_id": str(mail.automation_id), "run_id": str(mail.run_id)},
        about=[mail.automation_id, mail.run_id],
    )


def _masked(address: str) -> str:
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"


def _endpoint(failed: Failed) -> UUID:
    return failed.endpoint_id
