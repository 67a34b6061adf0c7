"""The items of a response's input, as turns."""

from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Message, ToolCall
from services.gateway.completions import asked, parts
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.wire.items import InputItem
from services.gateway.http import params

# What a model thought is not told to another one.
_PASSED_OVER = frozenset({"reasoning"})


def turns(given: str | list[InputItem]) -> list[Message]:
    """Calls one after the other are one turn. Raises Fault INVALID."""
    if isinstance(given, str):
        return [Message("user", given)]
    told: list[Message] = []
    for place, item in enumerate(given):
        match item.type:
            case None | "message":
                told.append(_message(item, f"input[{place}]"))
            case "function_call":
                _add(told, _call(item, f"input[{place}]"))
            case "function_call_output":
                told.append(_result(item, f"input[{place}]"))
            case kind if kind not in _PASSED_OVER:
                raise Fault(Code.INVALID, f"There is no {params.shown(kind)!r} here.", field=f"input[{place}].type")
    return told


def _message(item: InputItem, field: str) -> Message:
    if item.role is None or item.role == "tool":
        raise Fault(Code.INVALID, "A message is system, developer, user or assistant's.", field=f"{field}.role")
    content = parts.content(_parts(item.content), item.role, field=f"{field}.content")
    return Message(asked.role(item.role), content.text, images=content.images)


def _parts(content: str | list[wire.items.InputPart] | None) -> str | list[parts.Part]:
    if content is None or isinstance(content, str):
        return content or ""
    return [parts.Part(part.type, part.text, part.image_url or "") for part in content]


def _call(item: InputItem, field: str) -> ToolCall:
    if not item.call_id or not item.name:
        raise Fault(Code.INVALID, "A call has a call_id and a name.", field=f"{field}.call_id")
    return ToolCall(item.call_id, item.name, item.arguments or "{}")


def _add(told: list[Message], call: ToolCall) -> None:
    if told and told[-1].role == "assistant":
        said = told.pop()
        told.append(Message("assistant", said.content, [*said.calls, call]))
    else:
        told.append(Message("assistant", "", [call]))


def _result(item: InputItem, field: str) -> Message:
    if not item.call_id:
        raise Fault(Code.INVALID, "Say which call this is the output of.", field=f"{field}.call_id")
    content = parts.content(_parts(item.output), "tool", field=f"{field}.output")
    return Message("tool", content.text, call_id=item.call_id)


def unasked(turns: list[Message]) -> bool:
    """Whether there are results of calls that are not among these turns."""
    made = {call.id for turn in turns for call in turn.calls}
    return any(turn.role == "tool" and turn.call_id not in made for turn in turns)
