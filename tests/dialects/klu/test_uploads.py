"""Uploads: an address to send a file to, without a key, which then names the file for a context."""

import asyncio
import json
from uuid import UUID, uuid5

import aiohttp
import msgspec
import pytest

from libs.contracts import contexts, documents, files
from libs.contracts.faults import Code, Fault, not_found
from services.gateway.http import uploads
from tests.dialects.klu import examples
from tests.dialects.klu.examples import CONTEXT
from tests.services.gateway.peers import Door, new_key

pytestmark = pytest.mark.asyncio

UPLOADS = UUID("01a20000-0000-7000-8000-0000000000f1")
MOST = 200_000


def upload_of(blob: str) -> UUID:
    return uuid5(UPLOADS, blob)


async def presigned(door: Door, blob: str) -> dict[str, str]:
    def upload(asked: files.BeginUpload | files.FinishUpload, finished: bool) -> files.Upload:
        return files.Upload(upload_of(blob), asked.workspace_id, "a.pdf", f"uploads/{blob}", MOST, finished)

    await door.peers.answer(files.BEGIN, lambda asked: upload(asked, False))
    await door.peers.answer(files.FINISH, lambda asked: upload(asked, True))
    answer = await door.call("POST", "/v1/context/presign", {"file_name": "a.pdf"})
    assert answer.status == 200
    door.peers.asked.clear()
    return answer.json


def form(file: bytes, **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, value in fields.items():
        made.add_field(name, value)
    made.add_field("file", file, filename="a.pdf", content_type="application/pdf")
    return made


async def send(door: Door, url: str, body, **options):
    return await door.call("POST", url.removeprefix(door.url), body, key=None, **options)


async def test_an_address_to_send_to_is_what_the_sdk_knows_and_no_more(door):
    given = await presigned(door, "shape")
    assert given.keys() == {"url", "fields", "object_url"}
    assert given["url"].startswith(f"{door.url}/v1/uploads/")


async def test_a_file_sent_without_a_key_reaches_its_blob_whole(door):
    given = await presigned(door, "whole")
    content = bytes(range(256)) * 700
    answer = await send(door, given["url"], form(content, key="uploads/a.pdf", policy="x" * 1000))
    assert (answer.status, answer.text) == (204, "")
    assert await door.service.blobs.get("uploads/whole") == content
    assert door.peers.asked == [files.FinishUpload(door.workspace_id, upload_of("whole"), len(content))]


async def test_a_file_over_the_cap_is_413_and_leaves_nothing(door):
    given = await presigned(door, "large")
    answer = await send(door, given["url"], form(b"x" * (MOST + 1)))
    assert (answer.status, answer.json.keys()) == (413, {"error", "message", "detail"})
    assert door.peers.asked == []
    assert await gone(door, "uploads/large")


async def test_of_many_who_send_to_one_address_at_once_one_is_heard(door):
    given = await presigned(door, "contested")
    came, go = asyncio.Event(), asyncio.Event()

    async def slowly(asked: files.FinishUpload) -> files.Upload:
        came.set()
        await go.wait()
        return files.Upload(asked.upload_id, asked.workspace_id, "a.pdf", "uploads/contested", MOST, True)

    await door.peers.answer(files.FINISH, slowly)
    first = asyncio.create_task(send(door, given["url"], form(b"first")))
    await asyncio.wait_for(came.wait(), 60)
    others = [await send(door, given["url"], form(b"other" * 30_000)) for _ in range(2)]
    keyed = await send(door, given["url"], form(b"other"), headers={"Idempotency-Key": "mine"})
    go.set()
    assert (await first).status == 204
    late = await send(door, given["url"], form(b"other"))
    assert [answer.status for answer in (*others, keyed, late)] == [409] * 4
    assert late.json.keys() == {"error", "message", "detail"}
    assert (others[0].headers["Retry-After"], late.headers.get("Retry-After")) == ("10", None)
    assert await door.service.blobs.get("uploads/contested") == b"first"
    assert len(door.peers.asked) == 1


async def test_an_address_whose_file_broke_off_takes_another(door):
    given = await presigned(door, "retried")
    assert (await send(door, given["url"], form(b"x" * (MOST + 1)))).status == 413
    assert (await send(door, given["url"], form(b"x"))).status == 204


async def test_who_falls_silent_holds_no_address(door, monkeypatch):
    given = await presigned(door, "silent")
    monkeypatch.setattr(uploads, "_SILENT_SECONDS", 0.2)
    gone = asyncio.Event()

    async def begun():
        yield b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf of'
        await gone.wait()

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with door.session.post(given["url"], data=begun(), headers=headers) as answer:
        assert answer.status == 400
    assert (await send(door, given["url"], form(b"whole"))).status == 204


async def test_the_file_that_was_taken_in_is_known_under_a_key_that_comes_later(door):
    """As a client asks again whose gateway was killed after it had the file."""
    given = await presigned(door, "known")
    assert (await send(door, given["url"], form(b"it"))).status == 204
    again = await send(door, given["url"], form(b"it"), headers={"Idempotency-Key": "later"})
    other = await send(door, given["url"], form(b"other"), headers={"Idempotency-Key": "another"})
    assert (again.status, other.status, len(door.peers.asked)) == (204, 409, 1)


@pytest.mark.parametrize(
    ("body", "type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"", "multipart/form-data", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
        ),
        (b"--b\r\nnot a header at all\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf of', "multipart/form-data; boundary=b", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n' + b"x" * 90_000 + b"\r\n--b--\r\n",
            "multipart/form-data; boundary=b",
            413,
        ),
    ],
)
async def test_a_body_that_holds_no_file_is_refused(door, body, type, status):
    given = await presigned(door, "strange")
    answer = await send(door, given["url"], body, headers={"Content-Type": type})
    assert (answer.status, door.peers.asked) == (status, [])


async def test_an_address_that_has_expired_takes_nothing(door):
    ticket = uploads.Ticket(door.workspace_id, upload_of("expired"), "uploads/expired", MOST)
    sealer = door.service.sealer
    token = sealer.token(msgspec.msgpack.encode(ticket), about=b"upload", seconds=-1)
    answer = await send(door, f"{door.url}/v1/uploads/{token}", form(b"x"))
    assert (answer.status, "expired" in answer.json["detail"]) == (403, True)
    assert await gone(door, "uploads/expired")


async def test_a_file_that_comes_after_its_upload_was_swept_leaves_nothing(door):
    given = await presigned(door, "swept")
    await door.peers.answer(files.FINISH, lambda asked: not_found("upload", asked.upload_id))
    answer = await send(door, given["url"], form(b"x"))
    assert answer.status == 404
    assert await gone(door, "uploads/swept")


async def gone(door: Door, blob: str) -> bool:
    try:
        await door.service.blobs.get(blob)
    except Fault as fault:
        return fault.code is Code.NOT_FOUND
    return False


@pytest.mark.parametrize("token", ["nothing", "A" * 300, "%00"])
async def test_an_address_that_was_not_given_out_takes_nothing(door, token):
    answer = await send(door, f"{door.url}/v1/uploads/{token}", form(b"x"))
    assert answer.status == 403


async def test_the_address_of_a_file_becomes_its_blob_for_a_context(door):
    given = await presigned(door, "named")
    await door.peers.answer(documents.ADD_FILES, [examples.document])
    await door.peers.answer(contexts.GET, examples.context)
    urls = [given["object_url"], "https://files.example/v1/uploads/theirs"]
    assert (await door.call("POST", f"/v1/context/{CONTEXT}/add_files", {"files": urls})).status == 200
    assert door.peers.asked[0].urls == [f"blob:{upload_of('named')}", "https://files.example/v1/uploads/theirs"]


async def test_the_address_of_a_file_is_of_no_use_to_another_workspace(door):
    given = await presigned(door, "theirs")
    other = await new_key(door.service, "Other")
    body = {"files": [given["object_url"]]}
    answer = await door.call("POST", f"/v1/context/{CONTEXT}/add_files", body, key=other.secret)
    assert (answer.status, door.peers.asked) == (422, [])
    assert "files[0]" in answer.json["detail"]


async def test_an_address_of_ours_that_is_altered_is_named(door):
    given = await presigned(door, "altered")
    body = {"name": "c", "files": ["https://a.example/x", given["object_url"] + "AAAA"]}
    answer = await door.call("POST", "/v1/context", body)
    assert (answer.status, door.peers.asked) == (422, [])
    assert "files[1]" in json.loads(answer.text)["detail"]


async def test_a_context_whose_files_are_refused_is_not_created(door):
    await door.peers.answer(contexts.CREATE, examples.context)
    await door.peers.answer(contexts.DELETE, examples.context)
    await door.peers.answer(
        documents.ADD_FILES, lambda _: Fault(Code.INVALID, "Not a public address.", field="urls[0]")
    )
    door.peers.asked.clear()
    answer = await door.call("POST", "/v1/context/", {"name": "c", "files": ["http://127.0.0.1/"]})
    assert (answer.status, answer.json["detail"]) == (422, "files[0]: Not a public address.")
    assert door.peers.asked[-1] == contexts.GetContext(examples.WORKSPACE, CONTEXT)
