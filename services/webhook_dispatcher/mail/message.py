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

    @property
    def plain(self) -> bool:
        """Whether every server can take it: an address may hold letters that some can't (RFC 6531)."""
        return "".join(self.recipients).isascii()


def message_id(event_id: UUID, sender: str) -> str:
    return f"<{event_id}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"


def written(mail: Mail, sender: str) -> bytes:
    """Raises ValueError for an address that is none."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP if mail.plain else SMTPUTF8)
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
    """The standard library knows ASCII addresses alone: any other is as good as one with an x for each such letter."""
    plain = "".join("x" if letter.isalnum() and not letter.isascii() else letter for letter in text)
    name, _, domain = text.rpartition("@")
    if not text.isprintable():
        raise ValueError("it is no e-mail address")
    try:
        known = Address(addr_spec=plain)
        return known if plain == text else Address(username=name, domain=domain)
    except (HeaderParseError, ValueError, IndexError, AttributeError) as wrong:
        raise ValueError("it is no e-mail address") from wrong
