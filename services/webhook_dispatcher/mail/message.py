"""A mail as it goes out: the same bytes at every attempt."""

from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from uuid import UUID

from msgspec import Struct


class Mail(Struct, frozen=True):
    """To one recipient, though its head names all of them. `number` is that of the attempt to make now."""

    id: UUID
    message_id: str
    workspace_id: UUID
    automation_id: UUID
    run_id: UUID
    recipient: str
    recipients: list[str]
    subject: str
    text: str
    created_at: datetime
    number: int


def message_id(event_id: UUID, sender: str) -> str:
    return f"<{event_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"


def written(mail: Mail, sender: str) -> bytes:
    """Raises ValueError for an address that is none."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP if "".join(mail.recipients).isascii() else SMTPUTF8)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = [_address(recipient) for recipient in mail.recipients]
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    # So that no holiday notice answers (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message.as_bytes()


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError, AttributeError) as wrong:
        raise ValueError("it is no e-mail address") from wrong
