"""The servers that mail goes out by: over TLS, by who logged in, or none at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from libs.contracts import errands
from libs.runtime.service import Service
from services.webhook_dispatcher.__main__ import Settings
from services.webhook_dispatcher.mail.server import Server, parse
from tests.services.webhook_dispatcher.test_mail import FROM, ended, mail, row, tried
from tests.services.webhook_dispatcher.test_notices import told
from tests.support.calling import state
from tests.support.mail_server import certificate, mail_server
from tests.support.services import running


@asynccontextmanager
async def posting(nats_url, databases, url: str) -> AsyncIterator[Service]:
    async with running("webhook_dispatcher", nats_url, databases, smtp_url=url, mail_from=FROM) as service:
        yield service


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_goes_out_over_tls_by_who_logged_in(nats_url, databases, bus, scheme, tmp_path, monkeypatch):
    trusted, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    secured = {"starttls": context} if scheme == "smtp" else {"tls": context}
    async with mail_server(**secured, password="p@ss") as server:
        for password, status in (("p%40ss", "sent"), ("wrong", "queued")):
            url = f"{scheme}://polyvox:{password}@127.0.0.1:{server.port}"
            async with posting(nats_url, databases, url) as service:
                event = await state(bus, errands.MAIL_ASKED, mail())
                await tried(service, event, 1)
                assert (await row(service, event))["status"] == status
    (taken,) = server.taken
    assert (taken.tls, taken.user) == (True, "polyvox")


@pytest.mark.asyncio
async def test_a_server_that_offers_no_tls_or_shows_a_strange_certificate_gets_no_mail(
    nats_url, databases, bus, tmp_path
):
    async with mail_server() as mails, mail_server(tls=certificate(tmp_path)[1]) as strange:
        for url in (f"smtp://127.0.0.1:{mails.port}", f"smtps://127.0.0.1:{strange.port}"):
            async with posting(nats_url, databases, url) as service:
                event = await state(bus, errands.MAIL_ASKED, mail())
                await tried(service, event, 1)
                assert (await row(service, event))["status"] == "queued"
    assert mails.taken == strange.taken == []


@pytest.mark.asyncio
async def test_without_a_server_a_mail_fails_at_once_and_says_why(nats_url, databases, bus):
    async with running("webhook_dispatcher", nats_url, databases) as service:
        fact = mail()
        event = await state(bus, errands.MAIL_ASKED, fact)
        await ended(service, event, "failed")
        (notice,) = (await told(bus, fact.workspace_id)).items
    assert "SMTP_URL" in notice.body


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("", None),
        ("smtp://mail.example", Server("mail.example", 587, "", "", False, True)),
        ("smtp://u%40x:p%2F@mail.example:25", Server("mail.example", 25, "u@x", "p/", False, True)),
        ("smtps://mail.example", Server("mail.example", 465, "", "", True, False)),
        ("smtp://127.0.0.1:25?tls=none", Server("127.0.0.1", 25, "", "", False, False)),
    ],
)
def test_a_servers_url_says_how_it_is_spoken_to(url, server):
    assert parse(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:587",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example?tls=some",
        "smtps://mail.example?tls=none",
        "smtp://me:secret@mail.example?tls=none",
        "smtp://me:secret@mail.example/path",
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="SMTP_URL") as wrong:
        Settings(postgres_dsn="x", blobs_url="file:///x", master_keys="", smtp_url=url, mail_from=FROM)
    assert "secret" not in str(wrong.value)
