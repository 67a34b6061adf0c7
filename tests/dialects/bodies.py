"""Bodies: whatever JSON decodes as a voice's Struct, for the property that its translations raise nothing but Fault."""

from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from msgspec import Struct, UnsetType

from libs.contracts.faults import Fault

Fields = dict[Any, dict[str, Any]]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def body_of(type: Any, own: Fields) -> st.SearchStrategy[dict[str, Any]]:
    """What a client may send as `type`; `own` says by type and field what is drawn in place of anything."""
    given = own.get(type, {})
    fields = msgspec.structs.fields(type)
    sent = {
        field.encode_name: given[field.name] if field.name in given else _sendable(field.type, own) for field in fields
    }
    required = {field.encode_name: sent.pop(field.encode_name) for field in fields if field.required}
    return st.fixed_dictionaries(required, optional=sent)


def refusal(body: Any, type: Any, apply: Callable[[Any], Any]) -> Fault | None:
    """The Fault with which `apply` refuses the JSON `body` as `type`.

    None where it is translated into what can travel, or is no JSON of that type to begin with.
    """
    try:
        decoded = msgspec.convert(body, type)
    except msgspec.ValidationError:
        return None
    try:
        msgspec.msgpack.encode(apply(decoded))
    except Fault as fault:
        return fault
    return None


def _sendable(type: Any, own: Fields) -> st.SearchStrategy[Any]:
    """Any JSON that decodes as `type`."""
    origin, inner = get_origin(type), get_args(type)
    if type is Any:
        return JSON
    if origin in (Union, UnionType):
        return st.one_of(*(_sendable(choice, own) for choice in inner if choice is not UnsetType))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is list:
        return st.lists(_sendable(inner[0], own), max_size=3)
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), _sendable(inner[1], own), max_size=3)
    if issubclass(type, Struct):
        return body_of(type, own)
    if type is int:
        # A body with others is refused before it is decoded.
        return st.integers(-(2**63), 2**64 - 1)
    return st.from_type(type)
