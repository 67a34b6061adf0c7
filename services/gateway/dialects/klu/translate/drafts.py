"""Runs of what no action keeps: the playground, questions to a context, and chat completions in an action's name."""

from typing import Any
from uuid import UUID

import msgspec

from libs.contracts import contexts, ids, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from services.gateway.completions import asked
from services.gateway.completions.wire import ChatRequest
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import actions, values
from services.gateway.dialects.klu.translate.runs import UNFOLLOWED_SECONDS, VOICE, Links
from services.gateway.dialects.klu.translate.runs import reply as run_reply
from services.gateway.directory.callers import Caller
from services.gateway.http import params

_MOST_PASSAGES = 100


def playground(caller: Caller, body: wire.actions.Playground) -> tuple[list[contexts.GetContext], runs.StartRun]:
    """The contexts that must be there, and the run of a draft."""
    context_ids = _guids("context", indexguids=body.indexguids, indexIds=body.index_ids)
    draft = runs.Draft(
        prompt=body.prompt,
        model_id=values.reference(body.modelguid or body.model_id, "model"),
        parameters=actions.parameters(body.model_config or {}),
        context_ids=context_ids,
        tool_ids=_guids("skill", toolguids=body.toolguids, toolIds=body.tool_ids),
    )
    inputs = "" if body.values is None else body.values
    start = _start(caller, ids.NONE, draft, inputs=inputs, mode=runs.Mode.STREAMING)
    wanted = msgspec.structs.replace(start, unfollowed_seconds=UNFOLLOWED_SECONDS)
    return [contexts.GetContext(caller.workspace_id, id) for id in context_ids], wanted


def _guids(noun: str, **spelled: list[str] | None) -> list[UUID]:
    """Of the list that is given, whichever way its field is spelled. Raises Fault NOT_FOUND."""
    field, texts = next(((field, texts) for field, texts in spelled.items() if texts), ("", []))
    return [params.guid(text, noun, field=f"{field}[{place}]") for place, text in enumerate(texts)]


def of_context(caller: Caller, body: wire.contexts.PromptContext) -> tuple[contexts.GetContext, runs.StartRun]:
    """The context that must be there, and the question to it."""
    context = values.required(body.context, "context")
    if body.similarity_top_k is not None and not 1 <= body.similarity_top_k <= _MOST_PASSAGES:
        raise Fault(Code.INVALID, f"Expected a number from 1 to {_MOST_PASSAGES}.", field="similarityTopK")
    draft = runs.Draft(context_ids=[context], parameters=Parameters(max_tokens=body.response_length))
    start = _start(caller, ids.NONE, draft, inputs=body.prompt)
    wanted = msgspec.structs.replace(start, passages=body.similarity_top_k)
    return contexts.GetContext(caller.workspace_id, context), wanted


def context_reply(run: runs.Run, links: Links) -> wire.runs.ContextReply:
    told = run_reply(run, links, streaming=False)
    metadata: dict[str, Any] = {"sources": msgspec.to_builtins(run.sources)}
    return wire.runs.ContextReply(**msgspec.structs.asdict(told), metadata=metadata)


def completion(caller: Caller, body: ChatRequest, *, action_id: UUID, model_id: UUID | None) -> runs.StartRun:
    """The caller's messages as they are, answered by this model, as a data point of the action's.

    Raises Fault INVALID for what would be left out in silence.
    """
    asked.check(body)
    draft = runs.Draft(kind="chat", model_id=model_id, parameters=asked.parameters(body))
    start = _start(caller, action_id, draft, inputs="", mode=asked.mode(body))
    return msgspec.structs.replace(
        start, messages=asked.messages(body), tools=asked.tools(body), tool_choice=asked.tool_choice(body)
    )


def _start(
    caller: Caller,
    action_id: UUID,
    draft: runs.Draft,
    *,
    inputs: str | dict[str, Any],
    mode: runs.Mode = runs.Mode.BLOCKING,
) -> runs.StartRun:
    return runs.StartRun(caller.workspace_id, ids.new(), action_id, inputs=inputs, voice=VOICE, mode=mode, draft=draft)


def payload(rendered: runs.Rendered, token: str) -> wire.actions.GatewayPayload:
    wanted = msgspec.structs.asdict(asked.request(rendered))
    return wire.actions.GatewayPayload(**wanted, headers=wire.actions.GatewayHeaders(f"Bearer {token}"))
