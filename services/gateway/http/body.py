"""Bodies: the JSON of a request as a Struct, whatever was sent.

A client gets its Struct of sound values, or a Fault that names the field: MALFORMED for what is no JSON, INVALID for
what does not fit. Nothing that MessagePack or Postgres would refuse later gets past here.
"""

import asyncio
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.gateway.engine import ENGINE
from services.gateway.http import misfits
from services.gateway.http.aside import aside

T = TypeVar("T")

MOST_BYTES = 32 << 20
_BODY = web.RequestKey("body", bytes)
_LIMIT = "most_bytes"
DEEPEST = 64
_MOST_VALUES = 500_000
_LEAST, _MOST = -(2**63), 2**64 - 1


async def read(request: web.Request, type: type[T]) -> T:
    """The body as `type`. Raises Fault MALFORMED, INVALID or TOO_LARGE."""
    return await _decoded(await whole(request), type)


async def read_optional(request: web.Request, type: type[T]) -> T:
    """Like `read`, where an empty body stands for `{}`."""
    return await _decoded(await whole(request) or b"{}", type)


async def _decoded(raw: bytes, type: type[T]) -> T:
    return await aside(len(raw), lambda: decode(raw, type))


def up_to(most: int, *, at_once: int = 4) -> Callable[[Handler], Handler]:
    """Lets a route take bodies of so many bytes; of those over MOST_BYTES it takes a few at once, as each is held."""
    gate = asyncio.Semaphore(at_once)

    def allow(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def gated(request: web.Request) -> web.StreamResponse:
            if (request.content_length or most) <= MOST_BYTES:
                return await handler(request)
            async with gate:
                return await handler(request)

        setattr(gated, _LIMIT, most)
        return gated

    return allow


async def whole(request: web.Request) -> bytes:
    """The body as it came, read once. Raises Fault MALFORMED or TOO_LARGE."""
    if _BODY not in request:
        request[_BODY] = await _read(request)
    return request[_BODY]


async def _read(request: web.Request) -> bytes:
    """There is room for it before any of it is read, as far as its length is known: one that is packed grows."""
    most = getattr(request.match_info.handler, _LIMIT, MOST_BYTES)
    room, held = request.app[ENGINE].room, request.content_length or 0
    if held > most:
        raise _too_large(most)
    room.hold(request, held)
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > most:
                raise _too_large(most)
            if len(body) > held:
                room.hold(request, len(body) - held)
                held = len(body)
    except web.RequestPayloadError:
        raise Fault(Code.MALFORMED, "The body does not arrive as its headers announce it.") from None
    return bytes(body)


def _too_large(most: int) -> Fault:
    return Fault(Code.TOO_LARGE, f"The body is larger than the {most >> 20} MiB allowed.")


def decode(raw: bytes, type: type[T]) -> T:
    _refuse_crowded(raw)
    try:
        decoded = _decoder(type).decode(raw)
    except msgspec.ValidationError as error:
        raise misfits.fault(error, type) from None
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(raw, error) from None
    refuse_unsound(decoded)
    return decoded


def _refuse_crowded(raw: bytes) -> None:
    """Before it is decoded, which nothing interrupts: what surely holds too many values. Only JSON of a MB can.

    Outside of strings every comma stands for a value, and every bracket for one, or for an empty list or object.
    """
    if len(raw) <= 2 * _MOST_VALUES or _marks(raw) <= 2 * _MOST_VALUES:
        return
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 2 * _MOST_VALUES:
        raise _too_many()
    if sum(map(_marks, unescaped.split(b'"')[::2])) > 2 * _MOST_VALUES:
        raise _too_many()


def _marks(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _too_many() -> Fault:
    return Fault(Code.TOO_LARGE, f"The body holds more than {_MOST_VALUES:,} values.")


@functools.cache
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type)


def too_deep() -> Fault:
    return Fault(Code.MALFORMED, f"The body is nested more than {DEEPEST} levels deep.")


def _malformed(raw: bytes, error: Exception) -> Fault:
    if not raw:
        return Fault(Code.MALFORMED, "The body is empty: expected a JSON object.")
    field = _lone_surrogate(raw)
    if field is not None:
        return Fault(Code.MALFORMED, "A half of a surrogate pair is no character.", field=field)
    reason = (
        "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).removeprefix("JSON is malformed: ")
    )
    return Fault(Code.MALFORMED, f"The body is not valid JSON: {reason}.")


def _lone_surrogate(raw: bytes) -> str | None:
    """The field with half of a surrogate pair, which our decoder refuses without saying where."""
    if b"\\ud" not in raw.lower():
        return None
    try:
        parsed = json.loads(raw)
        return next((path for path, text in _texts(parsed) if _is_broken(text)), None)
    except (ValueError, RecursionError):
        return None


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for where, found in _paths(value, path):
        if isinstance(found, str):
            yield where, found


def refuse_unsound(body: Any) -> None:
    """Refuses by level, so that depth and number of values are bounded whatever the shape."""
    level, count = [body], 0
    for _ in range(DEEPEST):
        below: list[Any] = []
        if not all(_is_sound(value, below) for value in level):
            raise _unsound(body)
        if not below:
            return
        level, count = below, count + len(below)
        if count > _MOST_VALUES:
            raise _too_many()
    raise too_deep()


def _is_sound(value: Any, below: list[Any]) -> bool:
    """The values that it holds are put to those `below`. The commonest kinds are told first."""
    kind = type(value)
    if kind is str:
        return "\0" not in value
    if value is None or kind is bool:
        return True
    if kind is int:
        return _LEAST <= value <= _MOST
    if kind is dict:
        below += value
        below += value.values()
    elif kind is list:
        below += value
    elif isinstance(value, Struct):
        below += [getattr(value, name) for name in value.__struct_fields__]
    return True


def _unsound(body: Any) -> Fault:
    path, value = next((path, value) for path, value in _paths(body, "") if not _is_sound(value, []))
    if isinstance(value, str):
        return Fault(Code.INVALID, "A text must not hold the character NUL.", field=path or None)
    return Fault(Code.INVALID, "This number is out of range.", field=path or None)


def _paths(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value in it with its place; a key counts as a value in its object's place."""
    pending = [(path, value)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, Struct):
            fields = [getattr(value, name) for name in value.__struct_fields__]
            value = dict(zip(value.__struct_encode_fields__, fields, strict=True))
        if isinstance(value, dict):
            pending.extend((f"{path}.{key}" if path else str(key), item) for key, item in value.items())
            pending.extend((path, key) for key in value)
        elif isinstance(value, list):
            pending.extend((f"{path}[{place}]", item) for place, item in enumerate(value))
