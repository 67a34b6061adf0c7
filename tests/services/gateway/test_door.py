"""The public door: what holds for every address, whoever asks and whatever is sent."""

import asyncio
import gzip
import json
import re
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from libs.contracts import apps, feed, runs, sessions
from libs.contracts.paging import Page
from services.gateway.__main__ import VOICES
from services.gateway.directory.callers import digest
from services.gateway.http.body import MOST_BYTES
from tests.dialects.klu import examples
from tests.services.gateway.peers import Door, opened
from tests.support.servers import Databases
from tests.support.services import running

pytestmark = pytest.mark.asyncio

BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"input":NaN}',
    b'{"name":"\\u0000","text":"\\u0000","input":"\\u0000","type":"\\u0000","url":"\\u0000"}',
    b'{"name":"\\ud800","text":"\\ud800","input":"\\ud800"}',
    b'{"name":1e999,"input":{"a":1e999}}',
    b'{"input":{"a":' + b"9" * 200 + b"}}",
    json.dumps({"name": {}, "action": [], "text": 1, "events": 5, "files": {}, "prompt": False}).encode(),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url: str, databases: Databases) -> AsyncIterator[Door]:
    async with opened(nats_url, databases) as door:
        yield door


def written_routes() -> list[tuple[str, str]]:
    found = {
        (route.method, voice.mounts[0] + route.path)
        for voice in VOICES
        for route in voice.routes
        if route.method in ("POST", "PUT", "PATCH") and "/cancel" not in route.path and "/status" not in route.path
    }
    return sorted(found)


def routes() -> list[tuple[str, str, str]]:
    return sorted(
        {(voice.name, route.method, voice.mounts[0] + route.path) for voice in VOICES for route in voice.routes}
    )


def address(path: str) -> str:
    return re.sub(r"{\w+(:\.\+)?}", str(examples.RUN), path.replace(r"{unnamed:\$[^/]+}", "$unnamed"))


@pytest.mark.parametrize(("method", "path"), written_routes())
async def test_no_body_is_a_failure_of_ours(door, method, path):
    for body in BODIES:
        answer = await door.call(method, address(path), body)
        # Nobody is there whom a body that passes could be sent on to.
        assert 400 <= answer.status < 500 or answer.status == 503, (body[:60], answer.status, answer.text)
        assert answer.json, answer.text


@pytest.mark.parametrize(("voice", "method", "path"), routes())
async def test_without_a_key_nothing_is_told(door, voice, method, path):
    for key in (None, "pv_wrong", "x" * 5000):
        answer = await door.call(method, address(path), {}, key=key)
        expected = (403, None) if voice == "llmstack" else (401, "Bearer")
        assert (answer.status, answer.headers.get("WWW-Authenticate")) == expected


@pytest.mark.parametrize("path", ["/v1/apps", "/v1/apps/", "/klu/v1/apps", "/klu/v1/apps/"])
async def test_an_address_answers_with_and_without_slash_and_prefix(door, path):
    await door.peers.answer(apps.PAGE, Page([], 0))
    assert (await door.call("GET", path, allow_redirects=False)).status == 200


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/nothing", {"error", "message", "detail"}),
        ("/klu/nothing", {"error", "message", "detail"}),
        ("/v1/apps/a/b/c", {"error", "message", "detail"}),
        ("/api/nothing", {"error"}),
        ("/api/apps/a/b/c/d", {"detail", "errors"}),
        ("/llmstack/nothing", {"detail", "errors"}),
        ("/klairo/v1/nothing", {"error"}),
        ("/nothing", {"error"}),
        ("//", {"error"}),
        ("/%00%ff", {"error"}),
    ],
)
async def test_an_unknown_address_is_answered_in_its_voice(door, path, shape):
    answer = await door.call("GET", path)
    assert (answer.status, answer.json.keys()) == (404, shape)


async def test_a_wrong_method_is_405_and_says_which_are_right(door):
    answer = await door.call("PATCH", "/v1/apps")
    assert answer.status == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(","))


async def test_the_door_introduces_itself_and_is_healthy(door):
    assert (await door.call("GET", "/", key=None)).json["name"] == "Polyvox"
    assert (await door.call("GET", "/health", key=None)).json == {"status": "ok"}


@pytest.mark.parametrize(("given", "echoed"), [("my-id 7", True), ("x" * 200, False), ("a\tb", False)])
async def test_a_request_id_is_echoed_where_it_is_fit(door, given, echoed):
    answer = await door.call("GET", "/v1/nothing", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is echoed
    assert answer.headers["X-Request-Id"]


async def test_a_stream_has_its_request_id_too(door):
    answer = await door.call("GET", "/v1/stream/x", key=None, headers={"X-Request-Id": "mine"})
    assert answer.headers["X-Request-Id"] == "mine"


async def test_every_kind_of_answer_says_whose_it_is_and_not_what_we_run_on(door):
    made = await door.call("POST", "/klairo/api/contacts", {"name": "Ann"})
    gone = await door.call("DELETE", f"/klairo/api/contacts/{made.json['id']}")
    told = [made, gone, await door.call("GET", "/v1/nothing"), await door.call("OPTIONS", "/klisk/chat")]
    assert [answer.headers["Server"] for answer in told] == ["Polyvox"] * 4
    assert gone.status == 204


async def raw(door: Door, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(4096), 60)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x16\x03\x01 no http\r\n\r\n", "no valid HTTP"),
        (b"BREW /v1/apps HTTP/1.1\r\nHost: a\r\n\r\n", "no valid HTTP"),
        (b"GET /v1/apps HTTP/1.1\r\nContent-Length: x\r\n\r\n", "no valid HTTP"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "longer than the 8,190 bytes"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", "longer than the 8,190 bytes"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", "Content-Encoding"),
    ],
)
async def test_what_can_not_be_read_gets_its_400_in_our_words_and_no_line_in_the_log(door, caplog, sent, said):
    answer = await raw(door, sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head.startswith(b"HTTP/1.0 400"), b"Server: Polyvox" in head) == (True, True)
    assert (json.loads(body)["error"]["code"], said in json.loads(body)["error"]["message"]) == ("BAD_REQUEST", True)
    assert [record for record in caplog.records if record.name.startswith(("aiohttp", "gateway.http"))] == []


async def test_what_is_expected_of_no_server_is_told_as_json(door):
    answer = await raw(door, b"POST /v1/apps HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 2\r\n\r\n{}")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 417")
    assert (b"Server: Polyvox" in head, b"Connection: close" in head) == (True, True)
    assert (json.loads(body)["error"]["code"], "100-continue" in json.loads(body)["error"]["message"]) == (
        "BAD_REQUEST",
        True,
    )


@pytest.mark.parametrize(
    "headers",
    [
        b"Authorization: Bearer \xff\xfe\xfd",
        b"X-Request-Id: \xff\xfe",
        b"Content-Length: 5000000000",
        b"Content-Encoding: gzip\r\nContent-Length: 4",
        b"Transfer-Encoding: chunked",
        b"Expect: something",
        b"Content-Length: -1",
    ],
)
async def test_strange_headers_are_the_client_s_fault(door, caplog, headers):
    key = b"" if b"Authorization" in headers else b"Authorization: Bearer " + door.key.encode() + b"\r\n"
    answer = await raw(door, b"POST /v1/apps HTTP/1.1\r\nHost: a\r\n" + key + headers + b"\r\n\r\nnot anything\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert [record for record in caplog.records if record.name.startswith(("aiohttp", "gateway.http"))] == []


async def test_a_host_that_is_none_makes_no_links(door):
    await door.peers.answer(runs.START, examples.started)
    body = json.dumps({"action": str(examples.ACTION), "input": "x"}).encode()
    head = b'POST /v1/actions HTTP/1.1\r\nHost: "><script>\r\nAuthorization: Bearer ' + door.key.encode()
    answer = await raw(door, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"script" not in answer


async def test_a_body_over_the_cap_is_413_however_it_comes(door):
    body = b'{"name":"' + b"x" * MOST_BYTES + b'"}'
    assert (await door.call("POST", "/v1/apps", body)).status == 413
    packed = gzip.compress(body)
    assert len(packed) < 100_000
    answer = await door.call("POST", "/v1/apps", packed, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413


async def test_a_packed_body_is_read(door):
    await door.peers.answer(apps.CREATE, examples.app)
    packed = gzip.compress(b'{"name":"Support"}')
    answer = await door.call("POST", "/v1/apps", packed, headers={"Content-Encoding": "gzip"})
    assert answer.status == 200


async def test_an_answer_that_takes_long_ends_with_its_client(door):
    """Cancelled, the call to the runner is let go. No other test here has sessions asked for: the door that all share
    would be asked in place of its own.
    """
    left = asyncio.Event()
    came = asyncio.Event()

    async def never(question):
        came.set()
        await left.wait()
        return examples.session

    await door.peers.answer(sessions.GET, never)
    call = asyncio.create_task(door.call("GET", f"/v1/sessions/{examples.SESSION}"))
    await came.wait()
    call.cancel()
    left.set()
    assert (await door.call("GET", "/health")).status == 200


async def test_links_begin_with_the_public_url(nats_url, databases):
    async with opened(nats_url, databases, public_url="https://llm.example") as door:
        await door.peers.answer(runs.START, examples.started)
        body = {"action": str(examples.ACTION), "input": "x"}
        told = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
        answer = await door.call("POST", "/klu/v1/actions/", body, headers=told)
        assert answer.json["feedback_url"].startswith("https://llm.example/klu/v1/data/")


async def test_gateways_of_one_machine_share_an_address(nats_url, databases):
    async with opened(nats_url, databases) as door:
        shared = {"listen": door.url.removeprefix("http://")}
        async with running("gateway", nats_url, databases, **shared):
            answers = await asyncio.gather(*(door.call("GET", "/v1/workspaces") for _ in range(20)))
        answers.append(await door.call("GET", "/v1/workspaces"))
        assert {answer.status for answer in answers} == {200}


async def test_an_address_that_is_taken_is_named(nats_url, databases):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"{address} is taken"):
            async with running("gateway", nats_url, databases, listen=address):
                pass


async def test_what_is_answered_is_counted_by_route(nats_url, databases):
    async with opened(nats_url, databases) as door:
        await door.call("GET", f"/v1/workspace/{examples.RUN}")
        await door.call("LOCK", "/v1/secret-capability")
        url = f"http://127.0.0.1:{door.service.private_port}/metrics"
        async with door.session.get(url) as answer:
            counted = await answer.text()
    assert 'polyvox_http_seconds_count{method="GET",route="/v1/workspace/{guid}",status="404"}' in counted
    assert 'polyvox_http_seconds_count{method="other",route="(none)",status="404"}' in counted
    assert "secret-capability" not in counted


async def test_the_first_account_comes_from_the_settings(nats_url, databases):
    given = {
        "bootstrap_email": "first@example.test",
        "bootstrap_workspace": "First",
        "bootstrap_api_key": "pv_given-from-a-secret-file",
        "bootstrap_password": "from a secret file",
    }
    for _ in range(2):
        async with opened(nats_url, databases, **given) as door:
            answer = await door.call("GET", "/v1/workspaces", key="pv_given-from-a-secret-file")
            assert answer.json[0]["name"] == "First"
            stored = await door.service.database.fetchval(
                "SELECT count(*) FROM api_keys WHERE hash = $1", digest("pv_given-from-a-secret-file")
            )
            assert stored == 1


async def test_a_stop_breaks_streams_off_and_finishes_answers(nats_url, databases):
    hold, came = asyncio.Event(), asyncio.Event()

    async def slowly(question):
        came.set()
        await hold.wait()
        return examples.app

    async with opened(nats_url, databases) as door:
        await door.peers.answer(runs.START, lambda start: examples.started(start, status=runs.Status.RUNNING))
        await door.peers.answer(
            feed.FRAMES,
            lambda question: [feed.Frames(question.cursors[0].run_id, True, runs.Status.RUNNING, [])],
        )
        await door.peers.answer(apps.GET, slowly)
        body = {"action": str(examples.ACTION), "input": "x", "streaming": True}
        url = (await door.call("POST", "/v1/actions/", body)).json["streaming_url"]
        stream = await door.session.get(url)
        assert await stream.content.readline() == b"data: BEGIN_STREAM\n"
        answering = asyncio.create_task(door.call("GET", f"/v1/apps/{examples.APP}"))
        await came.wait()
        asyncio.get_running_loop().call_later(0.5, hold.set)
        ended = asyncio.create_task(stream.content.read())
    assert (await answering).status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await ended


async def test_where_https_is_required_plain_http_is_told_to_upgrade_in_each_voice(nats_url, databases):
    async with opened(nats_url, databases, require_https=True, trusted_proxies="127.0.0.1") as door:
        for path in ("/api/contacts", "/klu/v1/apps", "/klisk/api/info", "/llmstack/api/apps", "/openai/v1/models"):
            refused = await door.call("GET", path)
            assert (refused.status, refused.headers["Upgrade"]) == (426, "TLS/1.2, HTTP/1.1")
            assert "HTTPS" in refused.text
        assert (await door.call("GET", "/nowhere")).status == 426
        assert (await door.call("GET", "/health")).status != 426
        over_https = await door.call("GET", "/api/contacts", headers={"X-Forwarded-Proto": "https"})
        assert over_https.status == 200
