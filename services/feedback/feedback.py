"""Feedback on runs: given, read, changed and taken back.

Owner: feedback. Nothing is kept about a run that the workspace does not have, so the runner is asked first.
"""

from typing import Any
from uuid import UUID

from msgspec import UNSET, structs

from libs.bus.bus import Bus
from libs.contracts import feedback, ids, runs
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres import outbox
from libs.postgres.database import Database
from services.feedback.store import feedback as store

_RATINGS = (1, 2, "1", "2")


class Feedback:
    def __init__(self, database: Database, bus: Bus) -> None:
        self._database, self._bus = database, bus

    async def create(self, request: feedback.CreateFeedback) -> feedback.Feedback:
        _check(request.type, request.value)
        await self._bus.call(runs.GET, runs.GetRun(request.workspace_id, request.run_id))
        id = request.id or ids.new()
        async with self._database.transaction() as connection:
            given = await store.insert(connection, id, request)
            if given is not None:
                await outbox.state(connection, feedback.CREATED, [_created(given)])
        return given or await self.get(feedback.GetFeedback(request.workspace_id, id))

    async def get(self, request: feedback.GetFeedback) -> feedback.Feedback:
        return _found(await store.get(self._database, request.workspace_id, request.feedback_id), request.feedback_id)

    async def page(self, request: feedback.PageFeedback) -> Page[feedback.Feedback]:
        items = await store.page(self._database, request.workspace_id, request.slice)
        return Page(items, await store.total(self._database, request.workspace_id))

    async def update(self, request: feedback.UpdateFeedback) -> feedback.Feedback:
        async with self._database.transaction() as connection:
            kept = await store.lock(connection, request.workspace_id, request.feedback_id)
            changed = structs.replace(_found(kept, request.feedback_id), **_changes(request))
            _check(changed.type, changed.value)
            return await store.replace(connection, changed)

    async def delete(self, request: feedback.GetFeedback) -> feedback.Feedback:
        gone = await store.delete(self._database, request.workspace_id, request.feedback_id)
        return _found(gone, request.feedback_id)

    async def of(self, request: feedback.FeedbackOf) -> list[feedback.Feedback]:
        return await store.of_runs(self._database, request.workspace_id, request.run_ids)


def _check(type: feedback.Type, value: int | str) -> None:
    """Raises Fault INVALID, which names `value`, where it is not what the type wants."""
    if type == "rating" and value not in _RATINGS:
        raise Fault(Code.INVALID, "A rating is 1 (negative) or 2 (positive).", field="value")
    if type != "rating" and not (isinstance(value, str) and value.strip()):
        raise Fault(Code.INVALID, f"Feedback of type {type!r} needs text as its value.", field="value")


def _created(given: feedback.Feedback) -> feedback.FeedbackCreated:
    value = given.value if given.type == "rating" else ""
    return feedback.FeedbackCreated(given.workspace_id, given.id, given.run_id, given.type, value)


def _changes(request: feedback.UpdateFeedback) -> dict[str, Any]:
    given = {name: getattr(request, name) for name in ("type", "value", "source", "created_by", "metadata")}
    return {name: value for name, value in given.items() if value is not UNSET}


def _found(kept: feedback.Feedback | None, id: UUID) -> feedback.Feedback:
    if kept is None:
        raise not_found("feedback", id)
    return kept
