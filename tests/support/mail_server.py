"""A mail server that takes mail over SMTP, with STARTTLS, TLS and passwords as real ones have, and answers as told."""

import asyncio
import datetime
import ssl
import warnings
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

OK = "250 OK"


class Taken(Struct, frozen=True):
    """A mail as it came in: over TLS, by whom, from and to whom by the envelope."""

    tls: bool
    user: str | None
    sender: str
    recipients: list[str]
    message: EmailMessage
    raw: bytes


class MailServer:
    """`answers` are given to the next mails' content, one each, then 250; `refuses` answers recipients by address.

    A `None` among the answers breaks the connection off once the mail is taken, before it is said so.
    """

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.answers: deque[str | None] = deque()
        self.refuses: dict[str, str] = {}
        self.moved = asyncio.Condition()
        self.port = 0

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (answer := self.refuses.get(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = cast("bytes", envelope.original_content)
        message = cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
        login = session.auth_data.decode() if session.auth_data else None
        secured = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
        self.taken.append(Taken(secured, login, envelope.mail_from or "", list(envelope.rcpt_tos), message, raw))
        async with self.moved:
            self.moved.notify_all()
        answer = self.answers.popleft() if self.answers else OK
        if answer is None:
            cast("asyncio.Transport", server.transport).abort()
            return OK
        return answer

    async def wait(self, count: int, *, seconds: float = 60.0) -> list[Taken]:
        """So many mails, once they have come."""
        async with asyncio.timeout(seconds), self.moved:
            await self.moved.wait_for(lambda: len(self.taken) >= count)
        return self.taken


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, password: str = ""
) -> AsyncGenerator[MailServer]:
    """`password`: only who logs in with it is listened to."""
    server, loop = MailServer(), asyncio.get_running_loop()

    def log_in(_: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == password.encode(), handled=False, auth_data=data.login)

    def protocol() -> SMTP:
        secured = {"auth_required": True, "authenticator": log_in} if password else {}
        return SMTP(
            server,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_require_tls=tls is None,
            loop=loop,
            **secured,
        )

    # It does not see that a connection is over TLS from its start.
    warnings.filterwarnings("ignore", message="Requiring AUTH", category=UserWarning)

    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A new certificate for 127.0.0.1: the file by which it is trusted, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, whole = folder / "trusted.pem", folder / "whole.pem"
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted.write_bytes(pem)
    whole.write_bytes(private + pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(whole)
    return trusted, context
