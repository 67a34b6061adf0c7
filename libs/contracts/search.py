"""Search: the passages of some contexts that answer a question best.

Owner: retrieval. A metadata filter maps a key of a document's metadata to what it must be: a value, a list of which
one must match, or a range (`{"gte": 2020, "lt": 2024}`); all keys must match. A key may be written with `md_` before
it. Every document has the key `source`: its address or else its name, where its metadata do not say otherwise.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Rpc

Scalar = str | int | float | bool


class Equals(Struct, frozen=True, tag="equals"):
    value: Scalar


class AnyOf(Struct, frozen=True, tag="any_of"):
    values: list[Scalar]


class Range(Struct, frozen=True, tag="range"):
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


Condition = Equals | AnyOf | Range
_BOUNDS = frozenset({"gt", "gte", "lt", "lte"})


def conditions(filter: dict[str, Any], *, field: str = "metadata_filter") -> dict[str, Condition]:
    """The filter as conditions. Raises Fault INVALID that names the key where a value is none of the three shapes."""
    return {key: _condition(value, f"{field}.{key}") for key, value in filter.items()}


def _condition(value: Any, field: str) -> Condition:
    match value:
        case str() | int() | float():
            return Equals(value)
        case [_, *_] if all(isinstance(item, Scalar) for item in value):
            return AnyOf(list(value))
        case {**bounds} if bounds and bounds.keys() <= _BOUNDS and all(map(_is_number, bounds.values())):
            return Range(**bounds)
        case _:
            raise Fault(
                Code.INVALID,
                f"{field} must be a value, a list of values or a range of numbers with gt, gte, lt or lte.",
                field=field,
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Query(Struct, frozen=True):
    """`limit` counts chunks: those found side by side are told as one passage, so there may be fewer passages.

    `min_score` drops chunks below it; a score is the cosine similarity of passage and question, from 0 to 1.
    """

    workspace_id: UUID
    context_ids: list[UUID]
    text: str
    limit: int = 5
    conditions: dict[str, Condition] = {}
    min_score: float = 0.0


class Passage(Struct, frozen=True):
    """So many neighbouring `chunks` of a document, from the one at `position` on, `start` characters into its text.

    `chunk_id` and `score` are those of the best among them.
    """

    chunk_id: UUID
    document_id: UUID
    context_id: UUID
    name: str
    position: int
    text: str
    score: float
    metadata: dict[str, Any]
    start: int = 0
    chunks: int = 1


QUERY = Rpc("rpc.retrieval.search.query", Query, list[Passage])
