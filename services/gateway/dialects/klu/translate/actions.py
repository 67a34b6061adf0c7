"""Actions."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from libs.contracts import actions
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller
from services.gateway.http import misfits, params

# Klu's name of a parameter and ours; the SDKs send either spelling. `eed` is where one of them looks for the seed.
_CAMEL = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxResponseLength": "max_tokens",
    "stopSequence": "stop",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "numRetries": "retries",
    "timeout": "timeout",
    "seed": "seed",
    "responseFormat": "response_format",
    "logitBias": "logit_bias",
}
_SNAKE = {"max_response_length": "max_tokens", "stop_sequence": "stop", "num_retries": "retries"}
_OURS = {"toolRounds": "tool_rounds", "tool_rounds": "tool_rounds"}
_PARAMETERS = _CAMEL | {name: name for name in _CAMEL.values()} | _SNAKE | _OURS
# Fields as a Fault names them, and as the body did.
FIELDS = {
    **{f"parameters.{name}": f"model_config.{key}" for key, name in (_CAMEL | {"toolRounds": "tool_rounds"}).items()},
    "examples": "prompt",
}
_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(actions.Parameters)}


def create(caller: Caller, body: wire.actions.CreateAction) -> actions.CreateAction:
    script = _script(body.prompt)
    return actions.CreateAction(
        workspace_id=caller.workspace_id,
        app_id=values.required(body.app, "app"),
        name=body.name,
        prompt=script.prompt,
        kind=body.action_type or "prompt",
        description=body.description or "",
        system_message=body.system_message or script.system,
        model_id=values.reference(body.model, "model"),
        parameters=parameters(body.model_config or {}),
        metadata=body.meta_data or {},
        created_by=caller.account_id,
        examples=script.examples,
    )


def update(caller: Caller, asked: actions.GetAction, body: wire.actions.UpdateAction) -> actions.UpdateAction:
    script = None if body.prompt is None else _script(body.prompt)
    # An empty text empties it, unless the prompt itself has one.
    system = body.system_message or (script and script.system) or body.system_message
    return actions.UpdateAction(
        workspace_id=asked.workspace_id,
        action_id=asked.action_id,
        name=values.kept(body.name),
        prompt=script.prompt if script else UNSET,
        kind=values.kept(body.action_type),
        description=values.kept(body.description),
        system_message=values.kept(system),
        model_id=values.kept(values.reference(body.model, "model")),
        parameters=UNSET if body.model_config is None else parameters(body.model_config),
        metadata=values.kept(body.meta_data),
        updated_by=caller.account_id,
        examples=script.examples if script else UNSET,
    )


def set_context(caller: Caller, asked: actions.GetAction, body: wire.actions.SetContext) -> actions.UpdateAction:
    contexts = [params.guid(text, "context", field="context") for text in body.context]
    return actions.UpdateAction(asked.workspace_id, asked.action_id, context_ids=contexts, updated_by=caller.account_id)


class _Script(Struct, frozen=True):
    prompt: str
    system: str = ""
    examples: list[actions.Example] = []


def _script(prompt: str | list[wire.runs.Message]) -> _Script:
    """A chat action's prompt is a list of messages: those up to the assistant's last are its examples."""
    if isinstance(prompt, str):
        return _Script(prompt)
    examples: list[actions.Example] = []
    asked: list[str] = []
    system: list[str] = []
    for place, message in enumerate(prompt):
        match message.role:
            case "system":
                system.append(message.content)
            case "user":
                asked.append(message.content)
            case "assistant":
                examples += (actions.Example("user", text) for text in asked)
                examples.append(actions.Example("assistant", message.content))
                asked.clear()
            case "tool":
                said = "A prompt holds system, user and assistant messages; a tool's come with a run, in `messages`."
                raise Fault(Code.INVALID, said, field=f"prompt[{place}].role")
    return _Script("\n\n".join(asked), "\n\n".join(system), examples)


def parameters(config: dict[str, Any]) -> actions.Parameters:
    """Klu's model configuration. What it does not name stays the provider's; a key that is none of Klu's is ignored."""
    known = {_PARAMETERS[key]: _parameter(key, value) for key, value in config.items() if key in _PARAMETERS}
    return actions.Parameters(**known)


def _parameter(key: str, value: Any) -> Any:
    name = _PARAMETERS[key]
    try:
        return msgspec.convert(_unified(name, value), _TYPES[name])
    except msgspec.ValidationError as error:
        raise Fault(Code.INVALID, misfits.fault(error, _TYPES[name]).message, field=f"model_config.{key}") from None


def _unified(name: str, value: Any) -> Any:
    match name, value:
        case "stop", str():
            return [value] if value else None
        case "stop" | "logit_bias", []:
            return None
        case "response_format", str():
            return {"type": value} if value else None
        case _:
            return value


def config(parameters: actions.Parameters) -> dict[str, Any]:
    shown = {key: getattr(parameters, name) for key, name in _CAMEL.items()}
    format = shown["responseFormat"]
    if format and format.keys() == {"type"}:
        shown["responseFormat"] = format["type"]
    rounds = {} if parameters.tool_rounds is None else {"toolRounds": parameters.tool_rounds}
    return shown | {"eed": parameters.seed} | rounds


def reply(action: actions.Action) -> wire.actions.Action:
    return wire.actions.Action(
        guid=str(action.id),
        name=action.name,
        app=str(action.app_id),
        model=values.spelled(action.model_id),
        action_type=action.kind,
        prompt=_told(action),
        system_message=action.system_message,
        description=action.description,
        model_config=config(action.parameters),
        meta_data=action.metadata,
        version=action.version,
        version_guid=str(action.version_id),
        created_by_id=values.spelled(action.created_by),
        created_at=action.created_at,
        updated_at=action.updated_at,
    )


def _told(action: actions.Action) -> str | list[wire.runs.Message]:
    """The prompt as it came: a text, or messages where there are examples. What the system is told stands apart."""
    if not action.examples:
        return action.prompt
    asked = [wire.runs.Message("user", action.prompt)] if action.prompt else []
    return [*(wire.runs.Message(example.role, example.content) for example in action.examples), *asked]


def deploy(caller: Caller, asked: actions.GetAction, body: wire.actions.Deploy) -> actions.DeployVersion:
    version_id, number = values.version(body.version, "version")
    if version_id is None and number is None:
        raise values.missing("version")
    return actions.DeployVersion(
        asked.workspace_id,
        asked.action_id,
        actions.PRODUCTION if body.environment is None else body.environment,
        version_id=version_id,
        number=number,
        deployed_by=caller.account_id,
    )


def disable(asked: actions.GetAction, body: wire.actions.Disable) -> actions.DisableAction:
    return actions.DisableAction(asked.workspace_id, asked.action_id, body.environment)


def version(of: actions.Version) -> wire.actions.Version:
    return wire.actions.Version(**_fields(of))


def deployed(of: actions.Version, environment: str) -> wire.actions.Deployed:
    return wire.actions.Deployed(**_fields(of), message=f"Version {of.version} is deployed to {environment}.")


def disabled(action: actions.Action, environment: str | None) -> wire.actions.Disabled:
    where = f"in {environment}" if environment else "everywhere"
    return wire.actions.Disabled(str(action.id), f"The action is disabled {where} until a version of it is deployed.")


def _fields(of: actions.Version) -> dict[str, Any]:
    return {
        "guid": str(of.id),
        "version": of.version,
        "environment": ", ".join(of.environments) or None,
        "environments": of.environments,
        "created_by_id": values.spelled(of.made_by),
        "created_at": of.created_at,
        "updated_at": of.deployed_at or of.created_at,
    }
