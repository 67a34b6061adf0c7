"""The effect of a request that came with an Idempotency-Key, as those see it who answer the request."""

from typing import Any, TypeVar, cast

from aiohttp import web
from msgspec import structs

from libs.contracts import runs
from services.gateway.effects.keeper import Answer, Effect

T = TypeVar("T")

EFFECT = web.RequestKey("effect", Effect)
REPLAYED = {"Idempotent-Replayed": "true"}

_STREAM = Answer(200, streams=True)


def named(request: web.Request, question: T) -> T:
    """A question that makes something, with the id under which it is made; any other as it is.

    What is made may be about a run: the answer is erased with that.
    """
    effect = request.get(EFFECT)
    if effect is None or getattr(question, "id", "") is not None:
        return question
    effect.about = getattr(question, "run_id", None)
    return cast("T", structs.replace(cast("Any", question), id=effect.next_id()))


def started(request: web.Request, run: runs.StartRun) -> runs.StartRun:
    """A run to start as the effect names it, committed before it is accepted."""
    effect = request.get(EFFECT)
    return run if effect is None else structs.replace(run, run_id=effect.next_id(), durable=True)


def undone(request: web.Request) -> None:
    """What the request made has failed, or was taken back: made again, it makes something new."""
    if (effect := request.get(EFFECT)) is not None:
        effect.spend()


def headers(request: web.Request) -> dict[str, str]:
    effect = request.get(EFFECT)
    return REPLAYED if effect is not None and effect.answer is not None else {}


async def streams(request: web.Request) -> None:
    """The answer is a stream: from its beginning on, who asks again reads it from its first frame."""
    effect = request.get(EFFECT)
    if effect is not None and effect.answer is None:
        await effect.keep(_STREAM)
