"""The guarded client towards servers it may reach: allow-list, deadlines, caps, redirects, wording of failures."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts.faults import Code, Fault
from libs.egress import Egress, EgressRefused
from tests.libs.egress.conftest import serve

pytestmark = pytest.mark.asyncio


async def echo(request: web.Request) -> web.Response:
    told = ("authorization", "cookie", "x-a", "user-agent")
    seen = {name: value for name, value in request.headers.items() if name.lower() in told}
    return web.json_response({"method": request.method, "body": await request.text(), "headers": seen})


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(600):
        await response.write(b".")
        await asyncio.sleep(0.05)
    return response


async def large(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * 300_000)


async def bomb(_: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"})


async def many_headers(_: web.Request) -> web.Response:
    return web.Response(headers={"X-Large": "x" * 100_000})


async def cookie(_: web.Request) -> web.Response:
    return web.Response(headers={"Set-Cookie": "session=of-another-tenant; Path=/"})


async def elsewhere(request: web.Request) -> web.Response:
    port = request.url.port
    host = "127.0.0.1" if request.query.get("same") else "localhost"
    return web.Response(status=int(request.match_info["status"]), headers={"Location": f"http://{host}:{port}/echo"})


async def port(request: web.Request) -> web.Response:
    assert request.transport is not None
    return web.Response(text=str(request.transport.get_extra_info("peername")[1]))


async def forever(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/forever"})


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[str]:
    application = web.Application()
    for path, handler in {
        "/echo": echo,
        "/drip": drip,
        "/large": large,
        "/bomb": bomb,
        "/headers": many_headers,
        "/cookie": cookie,
        "/elsewhere/{status}": elsewhere,
        "/forever": forever,
        "/port": port,
    }.items():
        application.router.add_route("*", path, handler)
    runner, url = await serve(application)
    yield url
    await runner.cleanup()


@pytest.fixture
def egress(local: Egress) -> Egress:
    return local


async def download(egress: Egress, url: str, *, deadline: float = 5, max_bytes: int = 1 << 20) -> bytes:
    async with egress.stream(url, deadline=deadline, max_bytes=max_bytes) as download:
        return b"".join([chunk async for chunk in download.chunks()])


async def test_a_download_comes_in_chunks(egress: Egress, server: str) -> None:
    assert await download(egress, f"{server}/large") == b"x" * 300_000


async def test_an_allowed_address_answers_over_plain_http(egress: Egress, server: str) -> None:
    egress.check(f"{server}/echo")
    response = await egress.request("POST", f"{server}/echo", headers={"X-A": "1"}, body=b"hello")
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    assert b'"body": "hello"' in response.body
    assert response.latency_ms > 0


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "1\r\nHost: x"), ("X-A", "\x00"), ("X-A", "\x1f"), ("X\nA", "1"), ("X\x08A", "1")]
)
async def test_a_header_with_a_control_character_is_refused(egress: Egress, server: str, name: str, value: str) -> None:
    with pytest.raises(Fault) as refused:
        await egress.request("GET", f"{server}/echo", headers={name: value})
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "headers")


async def test_a_header_with_a_tab_goes_out(egress: Egress, server: str) -> None:
    response = await egress.request("GET", f"{server}/echo", headers={"X-A": "1\t2"})
    assert rb"1\t2" in response.body


async def test_plain_http_stays_inside_the_allow_list(egress: Egress) -> None:
    with pytest.raises(EgressRefused, match="https://"):
        egress.check("http://8.8.8.8/")
    egress.check("http://8.8.8.8/", schemes=("http", "https"))
    # A name may turn out to be inside; the socket decides.
    egress.check("http://example.com/")


async def test_a_name_over_plain_http_is_refused_at_the_socket_when_it_leads_outside(
    egress: Egress, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.egress.guard.parse_address", lambda _: __import__("ipaddress").ip_address("8.8.8.8"))
    with pytest.raises(EgressRefused):
        await egress.request("GET", server.replace("127.0.0.1", "localhost") + "/echo")


async def test_odd_ports_and_international_names_are_fine(egress: Egress) -> None:
    for url in (
        "https://example.com:1/",
        "https://example.com:65535/",
        "https://bücher.example/ü?q=ü",
        "https://a_b.example/",
    ):
        egress.check(url)


async def test_the_deadline_covers_a_body_that_drips(egress: Egress, server: str) -> None:
    with pytest.raises(Fault) as fault:
        await egress.request("GET", f"{server}/drip", deadline=0.3)
    assert fault.value.code is Code.TIMEOUT
    with pytest.raises(Fault) as fault:
        await download(egress, f"{server}/drip", deadline=0.3)
    assert fault.value.code is Code.TIMEOUT


async def test_a_body_is_cut_at_its_cap(egress: Egress, server: str) -> None:
    response = await egress.request("GET", f"{server}/large", max_bytes=1000)
    assert (response.status, len(response.body), response.cut) == (200, 1000, True)


async def test_a_download_over_its_cap_is_a_fault(egress: Egress, server: str) -> None:
    with pytest.raises(Fault) as fault:
        await download(egress, f"{server}/large", max_bytes=1000)
    assert fault.value.code is Code.TOO_LARGE


async def test_what_a_compressed_body_unpacks_to_counts(egress: Egress, server: str) -> None:
    response = await egress.request("GET", f"{server}/bomb", max_bytes=10_000)
    assert (len(response.body), response.cut) == (10_000, True)


async def test_a_server_that_only_ever_announces_an_answer_is_cut_off(egress: Egress) -> None:
    sent = 0

    async def announce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            while sent < 1_000_000:
                writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)
                sent += 100
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(announce, "127.0.0.1") as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(Fault, match="did not answer in valid HTTP"):
            await egress.request("GET", f"http://{host}:{port}/")
    assert sent < 1_000_000


async def test_a_few_announcements_before_the_answer_are_fine(egress: Egress) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        host, port = server.sockets[0].getsockname()
        for _ in range(2):
            assert (await egress.request("GET", f"http://{host}:{port}/")).status == 204


async def test_overlong_headers_are_refused(egress: Egress, server: str) -> None:
    with pytest.raises(Fault) as fault:
        await egress.request("GET", f"{server}/headers")
    assert fault.value.code is Code.UPSTREAM


async def test_a_redirect_is_returned_unless_following_was_asked_for(egress: Egress, server: str) -> None:
    assert (await egress.request("GET", f"{server}/elsewhere/302?same=1")).status == 302
    assert (await egress.request("GET", f"{server}/elsewhere/302?same=1", redirects=1)).status == 200
    assert (await egress.request("GET", f"{server}/forever", redirects=3)).status == 302


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_a_followed_post_keeps_its_method_where_the_status_says_so(
    egress: Egress, server: str, status: int, method: str
) -> None:
    response = await egress.request("POST", f"{server}/elsewhere/{status}?same=1", body=b"hello", redirects=1)
    assert f'"method": "{method}"'.encode() in response.body
    assert (b"hello" in response.body) == (method == "POST")


async def test_credentials_do_not_follow_a_redirect_to_another_origin(server: str) -> None:
    egress = Egress("127.0.0.1/32, ::1")
    secret = {"Authorization": "Bearer secret", "X-A": "secret"}
    same = await egress.request("GET", f"{server}/elsewhere/302?same=1", headers=secret, redirects=1)
    other = await egress.request("GET", f"{server}/elsewhere/302", headers=secret, redirects=1)
    await egress.close()
    assert b"secret" in same.body
    assert other.status == 200
    assert b"secret" not in other.body


async def test_no_cookie_of_one_request_reaches_another(egress: Egress, server: str) -> None:
    await egress.request("GET", f"{server}/cookie")
    assert b"session" not in (await egress.request("GET", f"{server}/echo")).body


async def test_a_request_tells_whose_it_is_and_not_what_we_run_on(egress: Egress, server: str) -> None:
    assert b'"User-Agent": "Polyvox"' in (await egress.request("GET", f"{server}/echo")).body
    own = {"User-Agent": "Mine"}
    assert b'"User-Agent": "Mine"' in (await egress.request("GET", f"{server}/echo", headers=own)).body


async def test_proxies_of_the_environment_are_not_used(
    egress: Egress, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert (await egress.request("GET", f"{server}/echo")).status == 200


async def test_failures_are_worded_for_people(egress: Egress, server: str) -> None:
    with pytest.raises(Fault, match=r"No connection could be made to 127\.0\.0\.1"):
        await egress.request("GET", "http://127.0.0.1:1/")
    with pytest.raises(Fault, match=r"No TLS connection could be made to 127\.0\.0\.1"):
        await egress.request("GET", server.replace("http:", "https:"))
    with pytest.raises(Fault, match="has no public address") as fault:
        await egress.request("GET", "https://no-such-host.invalid/")
    assert not isinstance(fault.value, EgressRefused)


async def test_a_certificate_that_nobody_vouches_for_is_said_to_be_invalid(
    egress: Egress, self_signed: ssl.SSLContext
) -> None:
    runner, url = await serve(web.Application(), tls=self_signed)
    with pytest.raises(Fault, match="The TLS certificate of localhost is not valid"):
        await egress.request("GET", url.replace("127.0.0.1", "localhost"))
    await runner.cleanup()


async def test_a_connection_serves_several_requests(egress: Egress, server: str) -> None:
    ports = {(await egress.request("GET", f"{server}/port")).body for _ in range(3)}
    assert len(ports) == 1


async def test_an_error_of_the_reader_stays_its_own(egress: Egress, server: str) -> None:
    with pytest.raises(OSError, match="disk full"):
        async with egress.stream(f"{server}/echo"):
            raise OSError("disk full")


async def test_a_bad_allow_list_names_the_part_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1/8'"):
        Egress("127.0.0.1, 10.0.0.1/8")
