"""Drafts: what runs is an action's version, or what a run brings of its own and nobody keeps."""

from datetime import UTC, datetime
from uuid import UUID

from msgspec import structs

from libs.contracts import ids, runs
from libs.contracts.actions import Action, Parameters
from services.runner.prompting import parameters
from services.runner.prompting.prompts import Prompting, Scripted
from services.runner.storable import storable
from services.runner.versions import Versions


class Drafts:
    def __init__(self, versions: Versions, prompting: Prompting) -> None:
        self._versions, self._prompting = versions, prompting

    async def chosen(self, request: runs.StartRun) -> Scripted:
        """Raises Fault as Versions.chosen does, INVALID for a parameter of the run's own, or a draft's template."""
        if request.parameters is not None:
            parameters.check(request.parameters)
        if request.draft is None:
            return await self._of_action(request)
        draft = storable(request.draft)
        parameters.check(draft.parameters)
        await self._prompting.check(draft)
        if request.action_id == ids.NONE:
            action = _nobodys(request.workspace_id)
        else:
            action = (await self._of_action(request)).action
        return await self._prompting.script(structs.replace(action, **structs.asdict(draft)))

    async def _of_action(self, request: runs.StartRun) -> Scripted:
        return await self._versions.chosen(
            request.workspace_id, request.action_id, request.environment, version_id=request.version_id
        )


def _nobodys(workspace_id: UUID) -> Action:
    now = datetime.now(UTC)
    return Action(
        id=ids.NONE,
        workspace_id=workspace_id,
        app_id=ids.NONE,
        version_id=ids.NONE,
        version=0,
        name="",
        kind="prompt",
        description="",
        prompt="",
        system_message="",
        model_id=None,
        parameters=Parameters(),
        context_ids=[],
        metadata={},
        created_by=None,
        created_at=now,
        updated_at=now,
    )
