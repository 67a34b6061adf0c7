"""The checks: nothing accepted lost, nothing counted twice, every stream exact.

They read the truth (the services' tables) beside the ledger and the receiver's. The rule: a check answers with
sentences, one for each thing that is wrong; what only is not there yet goes away when it is asked again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from uuid import UUID

import asyncpg
from msgspec import Struct

from libs.contracts import automation_runs, ids, runs
from tests.faults import script
from tests.faults.ledger import RUNS, STREAMS, Entry, Kind, Ledger
from tests.support.receiver import Received

_SCHEMAS = ("gateway", "runner", "retrieval", "feedback", "webhook_dispatcher")
_ENDED = ("succeeded", "failed", "cancelled", "completed")


class Run(Struct, frozen=True):
    id: str
    word: str
    status: str
    output: str


class AutomationRun(Struct, frozen=True):
    id: str
    word: str
    status: str


class Truth(Struct, frozen=True):
    """What the engine has of one workspace. `told` counts finished events by run, `due` all deliveries ever."""

    runs: list[Run]
    automation_runs: list[AutomationRun]
    told: Counter[str]
    counted: int
    counted_tokens: int
    documents: dict[str, str]
    texts: Counter[str]
    feedback: Counter[str]
    values: Counter[str]
    due: int
    queued: int
    put_aside: list[str]


async def read(connection: asyncpg.Connection, workspace: UUID) -> Truth:
    """Over an administrator's connection."""
    documents = await connection.fetch(
        "SELECT id, status, text FROM retrieval.documents WHERE workspace_id = $1", workspace
    )
    opinions = await connection.fetch("SELECT id, value FROM feedback.feedback WHERE workspace_id = $1", workspace)
    usage = await connection.fetchrow(
        "SELECT coalesce(sum(runs), 0), coalesce(sum(completion_tokens), 0) FROM feedback.usage_by_day"
        " WHERE workspace_id = $1",
        workspace,
    )
    assert usage is not None
    due, queued = await _deliveries(connection, workspace)
    return Truth(
        runs=await _runs(connection, workspace),
        automation_runs=await _automation_runs(connection, workspace),
        told=await _told(connection, workspace),
        counted=int(usage[0]),
        counted_tokens=int(usage[1]),
        documents={str(row["id"]): row["status"] for row in documents},
        texts=Counter(row["text"] for row in documents),
        feedback=Counter(str(row["id"]) for row in opinions),
        values=Counter(json.loads(row["value"]) for row in opinions),
        due=due,
        queued=queued,
        put_aside=await _put_aside(connection),
    )


async def _runs(connection: asyncpg.Connection, workspace: UUID) -> list[Run]:
    rows = await connection.fetch(
        "SELECT id::text, inputs ->> 'word', status, output FROM runner.runs WHERE workspace_id = $1", workspace
    )
    return [Run(*row) for row in rows]


async def _automation_runs(connection: asyncpg.Connection, workspace: UUID) -> list[AutomationRun]:
    rows = await connection.fetch(
        "SELECT id::text, payload ->> 'word', status FROM runner.automation_runs WHERE workspace_id = $1", workspace
    )
    return [AutomationRun(*row) for row in rows]


async def _told(connection: asyncpg.Connection, workspace: UUID) -> Counter[str]:
    events = {event.name: event for event in (runs.FINISHED, automation_runs.COMPLETED, automation_runs.FAILED)}
    rows = await connection.fetch("SELECT subject, body FROM runner.outbox WHERE subject = ANY($1)", list(events))
    facts = [events[row["subject"]].unpack(row["body"]) for row in rows]
    return Counter(str(fact.run_id) for fact in facts if fact.workspace_id == workspace)


async def _deliveries(connection: asyncpg.Connection, workspace: UUID) -> tuple[int, int]:
    row = await connection.fetchrow(
        "SELECT count(*), count(queue.delivery_id) FROM webhook_dispatcher.deliveries"
        " LEFT JOIN webhook_dispatcher.queue ON queue.delivery_id = deliveries.id WHERE deliveries.workspace_id = $1",
        workspace,
    )
    assert row is not None
    return row[0], row[1]


async def _put_aside(connection: asyncpg.Connection) -> list[str]:
    found = []
    for schema in _SCHEMAS:
        for table in ("dead_letters", "event_retries"):
            rows = await connection.fetch(f"SELECT subject, reason FROM {schema}.{table}")
            found += [f"{schema}.{table} has {row['subject']}: {row['reason'][:200]}" for row in rows]
    return found


def wrong(truth: Truth, ledger: Ledger, received: list[Received], told: list[Received]) -> list[str]:
    """Sentences, none where all holds. `received` are the webhooks, `told` the requests that automations made."""
    checks = (
        _answered(ledger),
        _runs_of_keys(truth, ledger),
        _texts(truth, ledger),
        _outcomes(truth),
        _usage(truth),
        _documents(truth, ledger),
        _feedback(truth, ledger),
        _automations(truth, ledger, told),
        _webhooks(truth, received),
        truth.put_aside,
        ledger.errors,
    )
    return [sentence for check in checks for sentence in check]


def _answered(ledger: Ledger) -> Iterator[str]:
    for entry in ledger.entries:
        if entry.gave_up:
            yield f"{entry.kind} {entry.word} ({entry.guid or 'never accepted'}): {entry.gave_up}"


def _runs_of_keys(truth: Truth, ledger: Ledger) -> Iterator[str]:
    """A key has one effect. A blocking run that failed is a 5xx, which the client sends again: that is another run."""
    by_word: dict[str, list[Run]] = {}
    for run in truth.runs:
        by_word.setdefault(run.word, []).append(run)
    for entry in ledger.of(*RUNS):
        found = by_word.get(entry.word, [])
        effective = [run for run in found if run.status == "succeeded" or entry.kind is not Kind.BLOCKING]
        if len(effective) > 1:
            yield f"{entry.kind} {entry.word} has {len(effective)} runs: {[run.id for run in effective]}"
        if entry.guid is not None and entry.guid not in [run.id for run in found]:
            yield f"{entry.kind} {entry.word} was accepted as {entry.guid}, and is lost"


def _texts(truth: Truth, ledger: Ledger) -> Iterator[str]:
    by_id = {run.id: run for run in truth.runs}
    for entry in ledger.of(*RUNS):
        run = by_id.get(entry.guid or "")
        if run is not None and entry.finished:
            yield from _text(entry, run)


def _text(entry: Entry, run: Run) -> Iterator[str]:
    """What was read is what is kept, and that is what the model said.

    Of a run that failed its beginning is kept: a killed runner's last half second may have been read, and not written.
    """
    said = script.of(entry.word).text
    if entry.failed is not (run.status == "failed"):
        yield f"{entry.kind} {entry.word} was read as {'failed' if entry.failed else 'done'}, and is {run.status}"
    if entry.failed and entry.kind in STREAMS:
        exact = entry.text.startswith(run.output) and said.startswith(entry.text)
    elif run.status == "cancelled":
        exact = entry.text == run.output and said.startswith(entry.text) and entry.kind is Kind.CANCELLED
    else:
        exact = entry.failed or entry.text == run.output == said
    if not exact:
        yield f"{entry.kind} {entry.word} was read as {entry.text!r}, is kept as {run.output!r}; said was {said!r}"


def _outcomes(truth: Truth) -> Iterator[str]:
    for run in [*truth.runs, *truth.automation_runs]:
        if run.status not in _ENDED:
            yield f"run {run.id} of {run.word} is still {run.status}"
        elif truth.told[run.id] != 1:
            yield f"run {run.id} of {run.word} has {truth.told[run.id]} finished events"


def _usage(truth: Truth) -> Iterator[str]:
    ended = [run for run in truth.runs if run.status in _ENDED]
    if truth.counted != len(ended):
        yield f"usage counts {truth.counted} runs, and {len(ended)} ended"
    least = sum(len(script.of(run.word).pieces) for run in ended if run.status == "succeeded")
    if truth.counted_tokens < least or (truth.counted_tokens > least and len(truth.runs) == _succeeded(truth)):
        yield f"usage counts {truth.counted_tokens} tokens, and the runs that succeeded took {least}"


def unbroken(truth: Truth, ledger: Ledger) -> Iterator[str]:
    """What must not be where processes are only stopped in order: no run fails, and nothing is refused for good.

    Retrieval is one process: what needs it is refused while it is down. 409 is the word for a first try still at work.
    """
    for entry in ledger.of(*RUNS):
        if entry.failed:
            yield f"{entry.kind} {entry.word} ({entry.guid}) failed, though its runner was only stopped"
    for run in truth.automation_runs:
        if run.status == "failed":
            yield f"automation {run.word} ({run.id}) failed, though its runner was only stopped"
    for (status, path), times in ledger.refusals.items():
        if status != 409 and "/context" not in path:
            yield f"{path} answered {status}, {times} times"


def _succeeded(truth: Truth) -> int:
    return sum(run.status == "succeeded" for run in truth.runs)


def _documents(truth: Truth, ledger: Ledger) -> Iterator[str]:
    for entry in ledger.of(Kind.DOCUMENT):
        if entry.guid is not None and truth.documents.get(entry.guid) != "indexed":
            yield f"document {entry.word} was accepted as {entry.guid}, and is {truth.documents.get(entry.guid)}"
        yield from _made_once(entry, truth.texts[f"A text about {entry.word}."])


def _feedback(truth: Truth, ledger: Ledger) -> Iterator[str]:
    for entry in ledger.of(Kind.FEEDBACK):
        if entry.guid is not None and entry.guid not in truth.feedback:
            yield f"feedback {entry.word} was accepted as {entry.guid}, and is lost"
        yield from _made_once(entry, truth.values[f"Say {entry.word}."])


def _automations(truth: Truth, ledger: Ledger, told: list[Received]) -> Iterator[str]:
    """Set off once for a key. A run that completed has told what its action said, however often under one key."""
    times = Counter(run.word for run in truth.automation_runs)
    for entry in ledger.of(Kind.AUTOMATION):
        if entry.guid is not None and entry.guid not in [run.id for run in truth.automation_runs]:
            yield f"automation {entry.word} was accepted as {entry.guid}, and is lost"
        yield from _made_once(entry, times[entry.word])
    for run in truth.automation_runs:
        said = {
            (each.headers["Idempotency-Key"], each.body.decode())
            for each in told
            if run.word in each.body.decode().split(":")
        }
        if run.status == "completed" and said != {(f"{run.id}-tell", script.of(run.word).text)}:
            yield f"automation {run.word} completed, and told {said}"


def _made_once(entry: Entry, times: int) -> Iterator[str]:
    if times > 1:
        yield f"{entry.kind} {entry.word} was made {times} times"


def _webhooks(truth: Truth, received: list[Received]) -> Iterator[str]:
    """Each fact is one delivery, which is taken in at least once, and comes under the same id however often it does."""
    ids: dict[tuple[str, str], set[str]] = {}
    for each in received:
        told = json.loads(each.body)
        about = told["data"].get("document_id") or told["data"].get("feedback_id") or told["data"].get("run_id")
        ids.setdefault((told["event"], about), set()).add(each.headers["webhook-id"])
    for (event, about), deliveries in ids.items():
        if len(deliveries) > 1:
            yield f"{event} of {about} arrived under {len(deliveries)} delivery ids"
    facts = list(_facts(truth))
    taken = {each.headers["webhook-id"] for each in received if each.answer.status == 200 and not each.answer.delay}
    yield from (
        f"{event} of {about} never arrived" for event, about in facts if not ids.get((event, about), set()) & taken
    )
    yield from (f"{event} of {about} arrived and never was" for event, about in _others(ids, facts))
    if truth.due != len(facts) or truth.queued:
        yield f"{truth.due} deliveries are kept and {truth.queued} wait, for {len(facts)} facts"


def _facts(truth: Truth) -> Iterator[tuple[str, str]]:
    for run in truth.runs:
        if run.status in ("succeeded", "failed"):
            yield ("generation.completed" if run.status == "succeeded" else "generation.failed"), run.id
    yield from (("document.indexed", id) for id, status in truth.documents.items() if status == "indexed")
    yield from (("feedback.created", id) for id in truth.feedback)
    for run in truth.automation_runs:
        id = ids.crockford("run", UUID(run.id))
        yield from (("automation.run", id), (f"automation.run.{run.status}", id))


def _others(ids: Iterable[tuple[str, str]], facts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [each for each in ids if each not in facts]
