"""Previews: what `rpc.runner.runs.render` answers. A run is accepted and grounded like any other, and then not run."""

from libs.bus.bus import Bus
from libs.contracts.runs import Rendered, StartRun
from services.runner.runs import grounding
from services.runner.runs.acceptance import Acceptance
from services.runner.runs.grounding import Grounds


class Previews:
    def __init__(self, bus: Bus, acceptance: Acceptance) -> None:
        self._bus, self._acceptance = bus, acceptance

    async def render(self, request: StartRun) -> Rendered:
        """Raises Fault as the start of the run would."""
        accepted = await self._acceptance.accept(request)
        action, messages = accepted.scripted.action, accepted.messages
        if action.context_ids:
            found = await grounding.passages(self._bus, Grounds.of(accepted))
            messages = grounding.grounded(messages, await grounding.fitting(found, messages, accepted.room))
        return Rendered(
            action_id=action.id,
            action_version=action.version,
            model_id=accepted.model.id,
            model=accepted.model.endpoint.llm,
            messages=messages,
            parameters=accepted.parameters,
        )
