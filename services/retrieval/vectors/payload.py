"""What is stored beside a vector, and the filters over it, in terms that both keepers translate to their own.

A scope is workspace and context in one field: one indexed condition separates tenants at a fifth of the cost of two.
A metadata value is kept as a digest of its scope, its key and itself, so that one index serves equality on every key
and a condition needs none on the scope beside it; numbers are kept under a field of their own as well, for ranges.
"""

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.search import AnyOf, Equals, Range
from services.retrieval.vectors import Point, Where

# Named where points are kept, so that a change to what is below makes all of them anew.
LAYOUT = "3"
DENSE = "dense"
SPARSE = "bm25"
SCOPE = "scope"
DOCUMENT = "document"
TAGS = "tags"
NUMBERS = "numbers"
KEYWORDS = (SCOPE, DOCUMENT, TAGS)

# Ranges on more keys than this work as well, unindexed.
MOST_NUMBER_INDEXES = 64


class OneOf(Struct, frozen=True):
    field: str
    values: list[str]


class Within(Struct, frozen=True):
    field: str
    range: Range


Term = OneOf | Within


def scope(workspace_id: UUID, context_id: UUID) -> str:
    return f"{workspace_id.hex}/{context_id.hex}"


def of(point: Point) -> dict[str, Any]:
    here = scope(point.workspace_id, point.context_id)
    stored: dict[str, Any] = {SCOPE: here, DOCUMENT: point.document_id.hex}
    if tags := [_tag(here, key, value) for key, value in _scalars(point.metadata)]:
        stored[TAGS] = tags
    if numbers := _numbers(point.metadata):
        stored[NUMBERS] = numbers
    return stored


def number_fields(stored: dict[str, Any]) -> set[str]:
    """The fields that want an index for ranges."""
    return {f"{NUMBERS}.{name}" for name in stored.get(NUMBERS, ())}


def terms(where: Where) -> list[Term]:
    """All must hold. A tag names its scope, so only without one the scope is a term of its own."""
    scopes = [scope(where.workspace_id, context_id) for context_id in where.context_ids]
    tags: list[Term] = []
    ranges: list[Term] = []
    for spelled, condition in where.conditions.items():
        key = _plain(spelled)
        match condition:
            case Equals(value):
                tags.append(OneOf(TAGS, [_tag(each, key, value) for each in scopes]))
            case AnyOf(values):
                tags.append(OneOf(TAGS, [_tag(each, key, value) for each in scopes for value in values]))
            case Range():
                ranges.append(Within(f"{NUMBERS}.{_digest(key)}", condition))
    return [*(tags or [OneOf(SCOPE, scopes)]), *ranges]


def within(workspace_id: UUID, context_id: UUID, document_ids: list[UUID] | None) -> list[Term]:
    found: list[Term] = [OneOf(SCOPE, [scope(workspace_id, context_id)])]
    if document_ids is not None:
        found.append(OneOf(DOCUMENT, [id.hex for id in document_ids]))
    return found


def floats(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def _plain(key: str) -> str:
    """LLMStack's clients filter by `md_key` what they store under `key`."""
    return key.removeprefix("md_")


def _scalars(metadata: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in metadata.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str | int | float):
                yield _plain(key), item


def _numbers(metadata: dict[str, Any]) -> dict[str, float | list[float]]:
    numbers: dict[str, list[float]] = {}
    for key, value in _scalars(metadata):
        if not isinstance(value, str | bool) and abs(value) < 1e300:
            numbers.setdefault(_digest(key), []).append(float(value))
    return {field: found[0] if len(found) == 1 else found for field, found in numbers.items()}


def _tag(scope: str, key: str, value: str | float) -> str:
    """2 and 2.0 are one value; 2, "2" and true are three."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _digest(f"{scope}{len(key)}:{key}{type(value).__name__}:{value}")


def _digest(text: str) -> str:
    return "k" + blake2b(text.encode(), digest_size=12).hexdigest()
