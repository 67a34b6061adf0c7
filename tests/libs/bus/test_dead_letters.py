"""Dead letters, as an operator lists them, has them tried again, and drops them: each at the service's own tables."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from libs.bus import store
from libs.bus.hear import Heard, Reaction
from libs.bus.store import Letter
from libs.contracts import ids, runs
from libs.contracts.subjects import Stated
from libs.postgres.database import Connection, Database
from tests.libs.bus.ear import SUM, added, becomes, hearing, rows, stated, total, total_becomes
from tests.libs.bus.wire import COUNTED, Counted
from tests.support.servers import Databases, free_port

pytestmark = pytest.mark.asyncio

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def command(databases: Databases) -> Command:
    """`await command("list")`: exit code, what is printed, and what is complained of."""

    async def run(*words: str, service: str = "feedback", **environ: str) -> tuple[int, str, str]:
        given = environ or {"POSTGRES_DSN": databases.dsn(service)}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"services.{service}", "dead-letters", *words),
            env={"PATH": os.environ["PATH"], **given},
            stdout=PIPE,
            stderr=PIPE,
        )
        async with asyncio.timeout(60):
            out, complaint = await child.communicate()
        return child.returncode or 0, out.decode(), complaint.decode()

    return run


async def listed(command: Command) -> list[dict[str, Any]]:
    code, out, _ = await command("list", "--json")
    assert code == 0
    return json.loads(out)


def finished(tokens: int) -> Stated:
    run = runs.RunFinished(
        workspace_id=ids.new(),
        run_id=ids.new(),
        action_id=ids.new(),
        status=runs.Status.SUCCEEDED,
        mode=runs.Mode.BLOCKING,
        voice="klu",
        model="small",
        provider="Maker",
        usage=runs.Usage(completion_tokens=tokens),
        finished_at=datetime.now(UTC),
    )
    return Stated(ids.new(), datetime.now(UTC), msgspec.Raw(runs.FINISHED.pack(run)))


class Counter:
    """A reaction with a mistake in it, until it is mended."""

    mended = False

    async def add(self, connection: Connection, heard: list[Heard[runs.RunFinished]]) -> None:
        await connection.execute(SUM, "counted", sum(event.fact.usage.completion_tokens for event in heard))
        if not self.mended:
            raise ZeroDivisionError("tokens per nothing")

    @property
    def reaction(self) -> Reaction[runs.RunFinished]:
        return Reaction(runs.FINISHED, self.add)


async def buried(database: Database, *bodies: bytes, subject: str = COUNTED.name, reason: str = "broken") -> list[str]:
    """Ids of events that were given up, in this order."""
    found = [Letter(ids.new(), subject, datetime.now(UTC), body, 5) for body in bodies]
    for letter in found:
        async with database.transaction() as connection:
            await store.bury(connection, letter, reason)
    return [str(letter.id) for letter in found]


async def died_since(database: Database, moment: str) -> int:
    since = datetime.fromisoformat(moment)
    return await database.fetchval("SELECT count(*) FROM dead_letters WHERE died_at > $1", since)


def packed(amount: int) -> bytes:
    return COUNTED.pack(Counted(ids.new(), amount))


async def test_a_poison_event_is_listed_with_its_reason_and_retried_takes_effect_once(
    runner, feedback, database, command
):
    counter, event = Counter(), finished(7)
    async with hearing(feedback, database, counter.reaction):
        await runner.state(runs.FINISHED.name, [event], "poison")
        await becomes(lambda: rows(database, "dead_letters"), 1)
        (letter,) = await listed(command)
        assert (letter["id"], letter["subject"], letter["tries"]) == (str(event.id), runs.FINISHED.name, 5)
        assert letter["reason"] == "ZeroDivisionError: tokens per nothing"
        assert letter["fact"]["usage"]["completion_tokens"] == 7
        counter.mended = True
        code, out, _ = await command("retry", letter["id"])
        assert (code, "1 event put back" in out) == (0, True)
        await total_becomes(database, 7)
        await becomes(lambda: rows(database, "event_retries"), 0)
        # The relay publishes again, and something new comes.
        await runner.state(runs.FINISHED.name, [event], "poison once more")
        await runner.state(runs.FINISHED.name, [finished(100)], "new")
        await total_becomes(database, 107)
    assert await listed(command) == []


async def test_what_fails_again_has_its_five_tries_and_is_a_dead_letter_again(runner, feedback, database, command):
    async with hearing(feedback, database, added()):
        await runner.state(COUNTED.name, stated(-1), "bad again")
        await becomes(lambda: rows(database, "dead_letters"), 1)
        (before,) = await listed(command)
        assert (await command("retry", "--all"))[0] == 0
        await becomes(lambda: died_since(database, before["died_at"]), 1)
        (after,) = await listed(command)
    assert (after["id"], after["tries"], after["at"]) == (before["id"], 5, before["at"])
    assert await total(database) == 0


async def test_what_is_dropped_stays_gone_though_it_comes_again(runner, feedback, database, command):
    counter, event = Counter(), finished(7)
    async with hearing(feedback, database, counter.reaction):
        await runner.state(runs.FINISHED.name, [event], "to be dropped")
        await becomes(lambda: rows(database, "dead_letters"), 1)
        code, out, _ = await command("drop", str(event.id), "--json")
        assert (code, json.loads(out)) == (0, {"dropped": [str(event.id)]})
        counter.mended = True
        await runner.state(runs.FINISHED.name, [event], "dropped before")
        await runner.state(runs.FINISHED.name, [finished(1)], "after it")
        await total_becomes(database, 1)
    assert await listed(command) == []


async def test_an_unknown_id_is_named_and_nothing_is_changed(database, command):
    (known,) = await buried(database, packed(1))
    unknown = str(ids.new())
    for verb in ("retry", "drop"):
        code, out, complaint = await command(verb, known, unknown)
        assert (code, out) == (1, "")
        assert complaint == f"id: No dead letter has the id {unknown}: nothing was changed.\n"
    assert (await command("drop", known, "the-first"))[2] == "id: 'the-first' is no id: nothing was changed.\n"
    assert [letter["id"] for letter in await listed(command)] == [known]
    assert await rows(database, "event_retries") == 0


async def test_only_those_asked_for_are_touched(database, command):
    first, second, third = await buried(database, packed(1), packed(2), packed(3))
    assert (await command("retry", second, second))[0] == 0
    assert (await command("drop", ids.crockford("event", ids.UUID(first))))[0] == 0
    assert [letter["id"] for letter in await listed(command)] == [third]
    (kept,) = await database.fetch("SELECT id, tries, due_at <= now() AS due FROM event_retries")
    assert (str(kept["id"]), kept["tries"], kept["due"]) == (second, 0, True)
    assert (await command("drop", "--all"))[0] == 0
    code, out, _ = await command("retry", "--all")
    assert (code, out) == (0, "(none)\n0 events put back: the running service tries again now.\n")


async def test_the_table_is_one_line_each_with_the_latest_first(database, command):
    readable = finished(7)
    await buried(database, bytes(readable.body), subject=runs.FINISHED.name, reason="line\nbreak \x1b[31m" + "x" * 500)
    first, second = await buried(database, b"\xc1 no fact", packed(2))
    code, out, _ = await command("list")
    head, *lines = out.splitlines()
    assert code == 0
    assert head.split() == ["ID", "SUBJECT", "AT", "TRIES", "REASON", "FACT"]
    assert [line.split()[0] for line in lines[:2]] == [second, first]
    assert r"b'\xc1 no fact'" in lines[1]
    assert f"line break \ufffd[31m{'x' * 20}" in lines[2]
    assert '{"workspace_id":"' in lines[2]
    assert len(lines) == 3
    assert all(len(line) < 280 and line.isprintable() for line in lines)
    _, out, _ = await command("list", "--limit", "1")
    assert out.splitlines()[-1] == "2 more: --limit 3 shows them all."
    unread = (await listed(command))[1]
    assert (unread["fact"], unread["body"]) == (None, "wSBubyBmYWN0")


async def test_the_address_of_the_database_may_come_from_a_file(databases, database, command, tmp_path):
    (tmp_path / "dsn").write_text(f"{databases.dsn('feedback')}\n")
    assert (await command("list", POSTGRES_DSN_FILE=str(tmp_path / "dsn")))[:2] == (0, "(none)\n")


async def test_what_is_missing_or_wrong_is_said_in_one_line(databases, command):
    code, _, complaint = await command("list", POSTGRES_DSN="")
    assert (code, complaint) == (2, "POSTGRES_DSN is missing: expected postgresql://role:password@host:5432/database\n")
    nobody = f"postgresql://feedback:secret@127.0.0.1:{free_port()}/feedback"
    code, _, complaint = await command("list", POSTGRES_DSN=nobody)
    assert (code, complaint.startswith("The database is away: "), complaint.count("\n")) == (1, True, 1)
    assert "secret" not in complaint
    code, _, complaint = await command("list", POSTGRES_DSN=databases.dsn("runner"))
    assert (code, "in the schema 'runner' instead of 'feedback'" in complaint) == (1, True)
    code, _, complaint = await command("list", service="webhook_dispatcher")
    assert (code, complaint) == (1, "There are no tables yet: the service makes them when it first starts.\n")
