"""What a chat completion asks, in the engine's words. Pure; raises nothing but Fault."""

from typing import Literal

from libs.contracts import runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Offered
from services.gateway.completions import parts, wire

_MOST_LIKELIEST = 20


def check(body: wire.ChatRequest) -> None:
    """Raises Fault INVALID for what would be left out in silence.

    An answer is one run: it has one id, by which it is read, rated and resumed.
    """
    if not body.messages:
        raise Fault(Code.INVALID, "Give a message.", field="messages")
    if body.n not in (None, 1):
        raise Fault(Code.INVALID, "One answer is given to a request: leave n out, or ask several times.", field="n")
    if body.modalities not in (None, ["text"]):
        raise Fault(Code.INVALID, "An answer is text here.", field="modalities")
    if body.functions:
        raise Fault(Code.INVALID, "Functions are offered as tools now.", field="functions")


def mode(body: wire.ChatRequest) -> runs.Mode:
    return runs.Mode.STREAMING if body.stream else runs.Mode.BLOCKING


def messages(body: wire.ChatRequest) -> list[runs.Message]:
    return [_message(message, place) for place, message in enumerate(body.messages)]


def _message(message: wire.Message, place: int) -> runs.Message:
    calls = [runs.ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
    content = parts.content(_parts(message.content), message.role, field=f"messages[{place}].content")
    return runs.Message(role(message.role), content.text, calls, message.tool_call_id or "", content.images)


def role(name: wire.Role) -> Literal["system", "user", "assistant", "tool"]:
    """What is newly called the developer's is the system's."""
    return "system" if name == "developer" else name


def _parts(content: str | list[wire.Part] | None) -> str | list[parts.Part]:
    if content is None or isinstance(content, str):
        return content or ""
    return [parts.Part(part.type, part.text, part.image_url.url if part.image_url else "") for part in content]


def parameters(body: wire.ChatRequest) -> Parameters:
    return Parameters(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens,
        stop=_stop(body.stop),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
        seed=body.seed,
        response_format=body.response_format,
        logit_bias=body.logit_bias,
        top_logprobs=_likeliest(body),
    )


def _stop(given: str | list[str] | None) -> list[str] | None:
    match given:
        case None | "" | []:
            return None
        case str():
            return [given]
        case _:
            return given


def _likeliest(body: wire.ChatRequest) -> int | None:
    if body.top_logprobs is None:
        return 0 if body.logprobs else None
    if not body.logprobs:
        raise Fault(Code.INVALID, "Ask for logprobs as well: top_logprobs goes with them.", field="top_logprobs")
    return likeliest(body.top_logprobs)


def likeliest(number: int) -> int:
    """How many alternatives of each token are told. Raises Fault INVALID."""
    if not 0 <= number <= _MOST_LIKELIEST:
        raise Fault(Code.INVALID, f"Expected a number from 0 to {_MOST_LIKELIEST}.", field="top_logprobs")
    return number


def tools(body: wire.ChatRequest) -> list[Offered]:
    offered = (tool.function for tool in body.tools or [])
    return [Offered(tool.name, tool.description or "", tool.parameters or {}) for tool in offered]


def tool_choice(body: wire.ChatRequest) -> str | None:
    choice = body.tool_choice
    return choice.function.name if isinstance(choice, wire.NamedTool) else choice


def request(rendered: runs.Rendered) -> wire.ChatRequest:
    """A request that asks for what was rendered."""
    given = rendered.parameters
    return wire.ChatRequest(
        model=rendered.model,
        messages=[wire.Message(message.role, message.content) for message in rendered.messages],
        temperature=given.temperature,
        top_p=given.top_p,
        max_tokens=given.max_tokens,
        stop=given.stop,
        presence_penalty=given.presence_penalty,
        frequency_penalty=given.frequency_penalty,
        seed=given.seed,
        response_format=given.response_format,
        logit_bias=given.logit_bias,
        logprobs=None if given.top_logprobs is None else True,
        top_logprobs=given.top_logprobs,
    )
