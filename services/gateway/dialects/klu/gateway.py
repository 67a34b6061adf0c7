"""The right to ask a model in an action's name: what `gateway_payload` gives, and `/chat/completions` accepts.

It is a token of this engine's, valid for fifteen minutes, for one action and its model, and only as long as the key is
with which it was asked for. A provider's key never leaves the runner.
"""

from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.gateway.directory.callers import Caller, given
from services.gateway.engine import ENGINE

_SECONDS = 15 * 60
_ABOUT = b"klu gateway"
_PREFIX = "pvg_"
_encode = msgspec.msgpack.Encoder().encode


class Right(Struct, frozen=True, array_like=True):
    """`llm` is what the model is called."""

    workspace_id: UUID
    account_id: UUID | None
    key_id: UUID
    key_hash: str
    action_id: UUID
    model_id: UUID
    llm: str

    @property
    def caller(self) -> Caller:
        return Caller(self.workspace_id, self.account_id, self.key_id, self.key_hash)


RIGHT = web.RequestKey("right", Right)

_decode = msgspec.msgpack.Decoder(Right).decode


def token(request: web.Request, right: Right) -> str:
    return _PREFIX + request.app[ENGINE].sealer.token(_encode(right), about=_ABOUT, seconds=_SECONDS)


async def right(request: web.Request) -> Right | None:
    """None where the request brings another credential. Raises Fault UNAUTHORIZED for one that has expired."""
    engine, text = request.app[ENGINE], given(request)
    if not text.startswith(_PREFIX):
        return None
    try:
        right = _decode(engine.sealer.read_token(text.removeprefix(_PREFIX), about=_ABOUT))
    except (Fault, msgspec.DecodeError):
        raise _expired() from None
    if not await engine.callers.still_valid(right.key_hash):
        raise _expired()
    return right


def _expired() -> Fault:
    return Fault(Code.UNAUTHORIZED, "This token is not valid any more: ask for the gateway_payload again.")
