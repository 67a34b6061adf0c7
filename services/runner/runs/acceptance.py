"""Accepting a run: everything that can be refused is refused here, before the model is called.

Action, version and model come from caches; a session is read anew.
"""

from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import ids, runs, search
from libs.contracts.actions import Action, Parameters
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.runs import Message
from libs.postgres import text
from services.runner.catalog import Catalog, ReadyModel
from services.runner.prompting import formats
from services.runner.prompting.prompts import Prompt, Prompting, Scripted
from services.runner.runs import memory
from services.runner.runs.drafts import Drafts
from services.runner.runs.recall import Recall
from services.runner.storable import storable
from services.runner.store.sessions import Memory
from services.runner.tools.builtin.names import IDS
from services.runner.tools.ready import Ready, Toolkit, toolkit
from services.runner.variants import Variants


class Accepted(Struct, frozen=True):
    """A run that may begin, with all that it needs. `room` is what its prompt may take, in tokens; `remembered` is what
    its session remembers, None without one. `briefed`: its prompt tells what the workspace has, since its
    model looks up nothing.
    """

    request: runs.StartRun
    scripted: Scripted
    model: ReadyModel
    parameters: Parameters
    conditions: dict[str, search.Condition]
    prompt: Prompt
    messages: list[Message]
    room: int
    toolkit: Toolkit = Toolkit()
    remembered: Memory | None = None
    briefed: bool = False


class Acceptance:
    def __init__(
        self, catalog: Catalog, variants: Variants, drafts: Drafts, *, prompting: Prompting, recall: Recall
    ) -> None:
        self.catalog, self._variants, self._drafts = catalog, variants, drafts
        self._prompting, self._recall = prompting, recall

    async def accept(self, request: runs.StartRun) -> Accepted:
        """Raises Fault: NOT_FOUND for an unknown experiment, action, model or session, or a draft's unknown tool,
        CONFLICT for an action whose model was deleted, INVALID for what is wrong with the input.
        """
        request = await self._variants.drawn(request)
        scripted = await self._drafts.chosen(request)
        request, known = await self._in_session(_storable(request, scripted))
        model = await self._model(request, scripted.action)
        conditions = search.conditions(request.conditions) if request.conditions else {}
        prompt = await self._prompting.prompt(scripted, request)
        _must_be_seen(prompt, model)
        parameters = _merged(scripted.action.parameters, request.parameters)
        if parameters.response_format:
            formats.check(parameters.response_format)
        room = memory.room(model.context_window, parameters)
        briefed = request.informed and not model.calls_tools
        # Passages come later, and so does what is told of the workspace: where there will be some, half of the room is
        # theirs.
        share = room // 2 if scripted.action.context_ids or briefed else room
        texts = [prompt.system, *map(memory.words, [*prompt.examples, *prompt.turns])]
        messages = prompt.messages(await memory.recalled(known.turns if known else [], texts, share))
        tools = await self._tools(request, scripted, model)
        kit = toolkit(tools, request, parameters.tool_rounds)
        return Accepted(request, scripted, model, parameters, conditions, prompt, messages, room, kit, known, briefed)

    async def _model(self, request: runs.StartRun, action: Action) -> ReadyModel:
        """A draft's must be known; an action's was, so that it is gone is no fault of whoever runs it: CONFLICT."""
        try:
            return await self.catalog.model(request.workspace_id, action.model_id)
        except Fault as fault:
            if fault.code is not Code.NOT_FOUND or action.model_id is None or request.draft is not None:
                raise
            raise Fault(Code.CONFLICT, "The action's model was deleted: give the action another one.") from None

    async def _tools(self, request: runs.StartRun, scripted: Scripted, model: ReadyModel) -> list[Ready]:
        """The action's, and of the built-in ones those whose names nobody has taken."""
        own = await self.catalog.tools(request.workspace_id, scripted.action.tool_ids)
        if request.draft is not None:
            _must_be_known(request.draft.tool_ids, own)
        if not (request.informed and model.calls_tools):
            return own
        taken = {ready.tool.name for ready in own} | {tool.name for tool in request.tools}
        built_in = await self.catalog.tools(request.workspace_id, list(IDS.values()))
        return [*own, *(ready for ready in built_in if ready.tool.name not in taken)]

    async def _in_session(self, request: runs.StartRun) -> tuple[runs.StartRun, Memory | None]:
        """The run with what its session remembers. An id that another workspace's session has is no
        obstacle to a new one: that gets an id of this workspace's.
        """
        if request.session_id is None:
            return msgspec.structs.replace(request, new_session=None), None
        known = await self._recall.of(request.session_id)
        if known is not None and known.workspace_id == request.workspace_id:
            return request, known
        if request.new_session is None:
            raise not_found("session", request.session_id)
        if known is None:
            return request, None
        own = ids.named(request.workspace_id, str(request.session_id))
        return msgspec.structs.replace(request, session_id=own), await self._recall.of(own)


def _must_be_known(ids: list[UUID], tools: list[Ready]) -> None:
    """Raises Fault NOT_FOUND. An action goes on without a tool that was deleted since; a draft never had it."""
    if missing := set(ids) - {ready.tool.id for ready in tools}:
        raise not_found("tool", min(missing))


def _must_be_seen(prompt: Prompt, model: ReadyModel) -> None:
    """Raises Fault UNSUPPORTED for images that the model would not see."""
    if names := [image.name for turn in prompt.turns for image in turn.images if not model.sees_images]:
        message = f"The model {model.endpoint.llm} sees no images: leave {', '.join(names)} out, or use another model."
        raise Fault(Code.UNSUPPORTED, message)


def _storable(request: runs.StartRun, scripted: Scripted) -> runs.StartRun:
    """By its action, and without what Postgres does not take in a text."""
    return msgspec.structs.replace(
        request,
        action_id=scripted.id,
        new_session=text.clean(request.new_session),
        inputs=text.clean(request.inputs),
        messages=[storable(turn) for turn in request.messages],
        voice=text.clean(request.voice),
        experiment=text.clean(request.experiment),
        end_user=text.clean(request.end_user),
        metadata=text.clean(request.metadata),
    )


def _merged(parameters: Parameters, own: Parameters | None) -> Parameters:
    """The action's parameters with what this run says otherwise."""
    if own is None:
        return parameters
    said = {name: value for name in own.__struct_fields__ if (value := getattr(own, name)) is not None}
    return msgspec.structs.replace(parameters, **said)
