"""The access log: lines in the shape of all others, written together."""

import asyncio
import io
import json

import pytest

from libs.contracts import ids
from services.gateway.http.access import AccessLog

WORKSPACE = ids.new()


def note(log: AccessLog, **changes) -> None:
    given = {
        "request_id": "r1",
        "workspace_id": WORKSPACE,
        "method": "GET",
        "route": "/v1/apps",
        "status": 200,
        "ms": 1.5,
    }
    log.note(**(given | changes))


def test_a_line_is_one_json_object_in_the_shape_of_all_lines():
    stream = io.StringIO()
    log = AccessLog("gateway", "gateway-1", stream=lambda: stream)
    note(log)
    note(log, workspace_id=None, request_id='a "quoted"\nid', route="/\ud7ff")
    assert stream.getvalue() == ""
    log.write()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first.pop("ts").endswith("Z")
    assert first == {
        "level": "info",
        "service": "gateway",
        "instance": "gateway-1",
        "logger": "gateway.access",
        "message": "request",
        "request_id": "r1",
        "workspace_id": str(WORKSPACE),
        "method": "GET",
        "route": "/v1/apps",
        "status": 200,
        "ms": 1.5,
    }
    assert second["workspace_id"] is None


def test_many_lines_do_not_wait():
    stream = io.StringIO()
    log = AccessLog("gateway", "gateway-1", stream=lambda: stream)
    for _ in range(1000):
        note(log)
    assert stream.getvalue().count("\n") == 1000


@pytest.mark.asyncio
async def test_what_waits_at_the_end_is_written():
    stream = io.StringIO()
    log = AccessLog("gateway", "gateway-1", stream=lambda: stream)
    running = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    note(log)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert stream.getvalue().count("\n") == 1
