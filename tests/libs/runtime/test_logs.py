"""Logs: one JSON object a line, with the ids of the work it belongs to."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from libs.runtime import logs

log = logging.getLogger("some.module")

Lines = Callable[[], list[dict[str, str]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    logs.configure("runner", "runner-1", "INFO", stream=written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_says_when_who_and_what(lines: Lines) -> None:
    log.info("Run %s", "finished", extra={"tokens": 7})
    log.debug("not shown")
    (line,) = lines()
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "service": "runner",
        "instance": "runner-1",
        "logger": "some.module",
        "message": "Run finished",
        "tokens": 7,
    }


def test_ids_are_those_of_the_task_that_set_them_and_of_those_it_begins(lines: Lines) -> None:
    async def part(id: str) -> None:
        logs.run_id.set(id)
        await asyncio.sleep(0)
        log.info("part")

    async def work() -> None:
        logs.request_id.set("r")
        logs.workspace_id.set("7")
        async with asyncio.TaskGroup() as tasks:
            for id in ("a", "b"):
                tasks.create_task(part(id))
        log.info("whole")

    asyncio.run(work())
    log.info("after")
    ids = [[line.get(name) for name in ("message", "request_id", "workspace_id", "run_id")] for line in lines()]
    assert ids == [
        ["part", "r", "7", "a"],
        ["part", "r", "7", "b"],
        ["whole", "r", "7", None],
        ["after", None, None, None],
    ]


def test_a_traceback_is_one_field_of_one_line(lines: Lines) -> None:
    try:
        error = ValueError("broken\nin two")
        raise error
    except ValueError:
        log.exception("It failed")
    (line,) = lines()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].count("ValueError: broken") == 1


def test_nothing_in_a_record_breaks_its_line(lines: Lines) -> None:
    extra = {"odd": object(), "bytes": b"\xff"}
    # Past pytest's own handlers: it can't send such a text from one of its processes to another.
    ours = logging.getLogger().handlers[0]
    ours.handle(log.makeRecord(log.name, logging.INFO, "", 0, "lone \ud800 and \x00 and \n", (), None, extra=extra))
    log.info("x" * 100_000)
    first, second = lines()
    assert first["message"] == "lone \ud800 and \x00 and \n"
    assert len(second["message"]) < 20_000
