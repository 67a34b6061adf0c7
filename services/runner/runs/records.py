"""Records: data points of what ran elsewhere, and the correcting of any that has ended.

The rule: nothing is asked of a model, and no event tells of it; usage counts what ran here.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import UNSET, structs

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.runs import AmendRun, GetRun, Mode, RecordRun, Run, Status
from libs.postgres.database import Database
from services.runner.catalog import Catalog
from services.runner.prompting.prompts import Scripted
from services.runner.runs import rows
from services.runner.runs.frames import Recorded, recorded
from services.runner.runs.rows import Beside
from services.runner.storable import storable
from services.runner.store import records, sessions
from services.runner.store import runs as stored
from services.runner.store.runs import Row

_FINISHED = "stop"


class Records:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def record(self, asked: RecordRun) -> Run:
        """Raises Fault NOT_FOUND for an action or session that the workspace does not have."""
        asked = storable(asked)
        scripted = await self._catalog.action(asked.workspace_id, asked.action_id)
        await self._must_have(asked.workspace_id, asked.session_id)
        run = _run(asked, scripted)
        async with self._database.transaction() as connection:
            given = await sessions.next_turns(connection, {asked.session_id: 1}) if asked.session_id else {}
            place = given.get(asked.session_id) if asked.session_id else None
            run = structs.replace(run, turn=place and place.turn)
            await stored.finish(connection, [_row(run, scripted.action.app_id)])
        return await self._get(GetRun(asked.workspace_id, run.id))

    async def amend(self, asked: AmendRun) -> Run:
        """Raises Fault NOT_FOUND for a run that is none, CONFLICT for one that goes on."""
        asked = storable(asked)
        async with self._database.transaction() as connection:
            run = await records.lock(connection, asked.workspace_id, asked.run_id)
            if run is None:
                raise not_found("run", asked.run_id)
            if run.status not in runs.ENDED:
                raise Fault(Code.CONFLICT, "The run goes on: change it once it has ended.")
            changed = structs.replace(run, **_changes(asked))
            await records.amend(connection, changed, _text(changed) if changed.output != run.output else None)
        return await self._get(GetRun(asked.workspace_id, asked.run_id))

    async def _must_have(self, workspace_id: UUID, session_id: UUID | None) -> None:
        if session_id and await sessions.get(self._database, workspace_id, session_id) is None:
            raise not_found("session", session_id)

    async def _get(self, asked: GetRun) -> Run:
        kept = (await stored.get(self._database, [asked.run_id])).get(asked.run_id)
        if kept is None or kept.run.workspace_id != asked.workspace_id:
            raise not_found("run", asked.run_id)
        return kept.run


def _changes(asked: AmendRun) -> dict[str, object]:
    names = set(asked.__struct_fields__) - {"workspace_id", "run_id"}
    return {name: value for name in names if (value := getattr(asked, name)) is not UNSET}


def _run(asked: RecordRun, scripted: Scripted) -> Run:
    now = datetime.now(UTC)
    return Run(
        id=asked.id or ids.new(),
        workspace_id=asked.workspace_id,
        action_id=scripted.id,
        action_version=scripted.action.version,
        status=Status.SUCCEEDED,
        mode=Mode.BLOCKING,
        voice=asked.voice,
        inputs=asked.inputs,
        prompt=asked.prompt,
        output=asked.output,
        thinking="",
        model=asked.model,
        provider=asked.provider,
        usage=asked.usage,
        finish_reason=_FINISHED,
        sources=[],
        metadata=asked.metadata,
        created_at=now - timedelta(milliseconds=asked.latency_ms or 0),
        session_id=asked.session_id,
        latency_ms=asked.latency_ms,
        finished_at=now,
    )


def _text(run: Run) -> Recorded:
    """The frames in which it is read again."""
    started = feed.Started(run.action_id, run.session_id, run.model, run.provider)
    done = feed.Done(run.finish_reason, run.usage, run.latency_ms or 0.0)
    bodies: list[feed.Body] = [started, feed.Token(run.output), done] if run.output else [started, done]
    return recorded([feed.Frame(run.attempt, n, body) for n, body in enumerate(bodies, 1)])


def _question(run: Run) -> str:
    asked = next((turn.content for turn in reversed(run.prompt) if turn.role == "user"), "")
    return asked or (run.inputs if isinstance(run.inputs, str) else stored.encoded(run.inputs))


def _row(run: Run, app_id: UUID) -> Row:
    return rows.row(run, Beside(app_id, model_id=ids.NONE, question=_question(run), frames=_text(run).cut))
