"""Fixtures for the guarded client: a listener that counts who gets through, and a server that misbehaves on request."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from libs.egress import Egress


@dataclass
class Listener:
    port: int
    connections: int = 0


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def listener() -> AsyncIterator[Listener]:
    """Listens on every address of this machine, and counts connections."""
    heard = Listener(0)

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(accepted, "::", 0)
    port = server.sockets[0].getsockname()[1]
    heard.port = port
    both = await asyncio.start_server(accepted, "0.0.0.0", port)
    yield heard
    server.close()
    both.close()


@pytest_asyncio.fixture(loop_scope="session")
async def outside() -> AsyncIterator[Egress]:
    """A client without any allow-list."""
    egress = Egress("")
    yield egress
    await egress.close()


@pytest_asyncio.fixture(loop_scope="session")
async def local() -> AsyncIterator[Egress]:
    """A client whose operator allowed 127.0.0.1."""
    egress = Egress("127.0.0.1/32")
    yield egress
    await egress.close()


async def serve(application: web.Application, *, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return runner, f"http{'s' * bool(tls)}://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context
