"""Bodies in YAML, where a Content-Type says so: short ones, since YAML takes long to parse.

The rule: events come first, which are read without recursion. Only what nests no deeper than JSON may, and holds few
values, is composed.
"""

from typing import TypeVar

import msgspec
import yaml
from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.http import body, misfits

T = TypeVar("T")

MOST_BYTES = 128 << 10
# Some milliseconds' worth of parsing, which nothing interrupts.
_MOST_VALUES = 2000
_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_BEGIN = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_END = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


async def read_or_json(request: web.Request, type: type[T]) -> T:
    """The body as `type`. Raises Fault MALFORMED, INVALID or TOO_LARGE."""
    if request.content_type not in _TYPES:
        return await body.read(request, type)
    raw = await body.whole(request)
    if len(raw) > MOST_BYTES:
        raise Fault(Code.TOO_LARGE, f"YAML may hold {MOST_BYTES >> 10} KiB at most: send JSON.")
    decoded = _decode(raw, type)
    body.refuse_unsound(decoded)
    return decoded


def _decode(raw: bytes, type: type[T]) -> T:
    try:
        _refuse_laborious(raw)
        return msgspec.yaml.decode(raw, type=type)
    except msgspec.ValidationError as error:
        raise misfits.fault(error, type) from None
    except (yaml.YAMLError, msgspec.DecodeError, ValueError, TypeError):
        raise Fault(Code.MALFORMED, "The body is not valid YAML.") from None


def _refuse_laborious(raw: bytes) -> None:
    depth = values = 0
    for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
        depth += isinstance(event, _BEGIN) - isinstance(event, _END)
        values += isinstance(event, yaml.NodeEvent)
        if depth > body.DEEPEST:
            raise body.too_deep()
        if values > _MOST_VALUES:
            raise Fault(Code.TOO_LARGE, f"YAML may hold {_MOST_VALUES:,} values at most: send JSON.")
