"""Entries: files in base64 reach their blobs whole, and what does not fit is told where it was sent."""

import base64
import gzip
import json
from typing import Any
from uuid import UUID

import pytest

from libs.contracts import contexts, documents, files
from libs.contracts.faults import Code, Fault, not_found
from services.gateway.dialects.llmstack.routes import entries
from services.gateway.http import yaml
from services.gateway.http.body import MOST_BYTES
from tests.dialects.klu import examples
from tests.dialects.klu.examples import CONTEXT
from tests.services.gateway.peers import Door

pytestmark = pytest.mark.asyncio

PATH = f"/api/datasources/{CONTEXT}/entries"
UPLOAD = UUID("01a20000-0000-7000-8000-0000000000f1")
MOST = 40 << 20


async def taking(door: Door, blob: str) -> None:
    def upload(asked: files.BeginUpload | files.FinishUpload) -> files.Upload:
        done = isinstance(asked, files.FinishUpload)
        return files.Upload(UPLOAD, asked.workspace_id, "a.pdf", f"uploads/{blob}", MOST, done)

    await door.peers.answer(contexts.GET, examples.context)
    await door.peers.answer(files.BEGIN, upload)
    await door.peers.answer(files.FINISH, upload)
    await door.peers.answer(documents.ADD_FILES, [examples.document])
    door.peers.asked.clear()


async def add(door: Door, path: str = PATH, headers: Any = None, **data: Any) -> Any:
    return await door.call("POST", path, {"entry_data": data}, headers=headers or {})


@pytest.mark.parametrize("spelling", ["data:application/pdf;name=a.pdf;base64,", ""])
async def test_a_file_reaches_its_blob_whole(door, spelling):
    await taking(door, "inline")
    content = bytes(range(256)) * 4000
    answer = await add(door, name="a.pdf", file=spelling + base64.encodebytes(content).decode())
    assert answer.status == 202
    assert await door.service.blobs.get("uploads/inline") == content
    asked = door.peers.asked
    assert asked[1:] == [
        files.BeginUpload(door.workspace_id, "a.pdf"),
        files.FinishUpload(door.workspace_id, UPLOAD, len(content)),
        documents.AddFiles(door.workspace_id, CONTEXT, [f"blob:{UPLOAD}"]),
    ]


async def test_a_file_may_be_larger_than_any_other_body(door):
    await taking(door, "large")
    content = b"x" * 36_000_000
    answer = await add(door, name="a.txt", file=base64.b64encode(content).decode())
    assert (answer.status, len(await door.service.blobs.get("uploads/large"))) == (202, len(content))


async def test_a_file_over_the_cap_is_413(door):
    await taking(door, "too-large")
    answer = await add(door, name="a.txt", file=base64.b64encode(bytes(MOST + 1)).decode())
    assert (answer.status, answer.json.keys()) == (413, {"detail", "errors"})
    assert not [asked for asked in door.peers.asked if isinstance(asked, files.FinishUpload)]


async def test_a_body_over_the_cap_is_413_however_it_comes(door):
    packed = gzip.compress(b" " * (entries.MOST_BYTES + 1))
    answer = await door.call("POST", PATH, packed, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413
    assert (await door.call("POST", "/api/datasources", b" " * (MOST_BYTES + 1))).status == 413


async def test_a_file_for_a_datasource_that_is_not_there_is_not_taken_in(door):
    await taking(door, "nowhere")
    await door.peers.answer(contexts.GET, lambda asked: not_found("context", asked.context_id))
    assert (await add(door, name="a.txt", file="aGk=")).status == 404
    assert not [asked for asked in door.peers.asked if isinstance(asked, files.BeginUpload)]


async def test_a_file_sent_again_under_an_idempotency_key_is_added_once(door):
    await taking(door, "again")
    key = {"Idempotency-Key": "the-same-file"}
    first = await add(door, name="a.txt", file="aGk=", headers=key)
    again = await add(door, name="a.txt", file="aGk=", headers=key)
    assert (first.json, again.headers["Idempotent-Replayed"]) == (again.json, "true")
    assert len([asked for asked in door.peers.asked if isinstance(asked, documents.AddFiles)]) == 1


@pytest.mark.parametrize(
    ("rpc", "fault", "told"),
    [
        (documents.ADD_FILES, Fault(Code.INVALID, "No public address.", field="urls[1]"), "entry_data.url[1]"),
        (documents.ADD_FILES, Fault(Code.TOO_LARGE, "Too much.", field="metadata"), "entry_metadata"),
    ],
)
async def test_what_is_refused_is_named_as_it_was_sent(door, rpc, fault, told):
    await door.peers.answer(rpc, lambda _: fault)
    answer = await add(door, url="https://a.example,http://10.0.0.1")
    assert answer.json["errors"] == [f"{told}: {fault.message}"]


@pytest.mark.parametrize("body", [b"name: " + b"x" * yaml.MOST_BYTES, b"name:\n" + b"- [1,2]\n" * 1000])
async def test_yaml_that_takes_long_to_parse_is_refused(door, body):
    answer = await door.call("POST", "/api/apps", body, headers={"Content-Type": "application/yaml"})
    assert answer.status == 413


@pytest.mark.parametrize(
    "text",
    [
        "name: *nothing",
        "name: !!python/object/apply:os.system [echo]",
        "a: &a [1]\nb: [*a, *a]\nname: [*a]",
        "? [a]\n: b",
        "name: .nan",
        'name: "\\0"',
        "name: 2026-01-01",
        "- " * 60_000,
        "\xff\xfe",
    ],
)
async def test_no_yaml_is_a_failure_of_ours(door, text):
    answer = await door.call("POST", "/api/apps", text.encode("latin-1"), headers={"Content-Type": "text/yaml"})
    assert answer.status == 400, answer.text
    assert json.loads(answer.text).keys() == {"detail", "errors"}
