"""Vectors: what a search looks among. One interface, two keepers of the same engine: a Qdrant server, and Qdrant's
embedded engine in a child process for one machine.

Vectors are derived from chunk rows and can be rebuilt at any time. A tenant is a scope (workspace and context), which
every search and count names.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from libs.contracts.search import Condition


class Space(Struct, frozen=True):
    """The vectors of one embedding model, which compare with no others."""

    name: str
    dimensions: int


def number_of(chunk_id: UUID) -> int:
    """What the vectors know a chunk by: the first half of its id, sixty bits of it a digest's.

    A whole id takes the bindings of the embedded engine twenty times as long, and each search names dozens.
    """
    return chunk_id.int >> 64


class Point(Struct, frozen=True):
    """A chunk as it can be found. `vector` holds little-endian 32-bit floats, and need not be of length 1."""

    number: int
    workspace_id: UUID
    context_id: UUID
    document_id: UUID
    text: str
    vector: bytes
    metadata: dict[str, Any] = {}


class Where(Struct, frozen=True):
    workspace_id: UUID
    context_ids: list[UUID]
    conditions: dict[str, Condition] = {}


class Question(Struct, frozen=True):
    """`embed` makes the vector of `text`; it is called once."""

    text: str
    embed: Callable[[], Awaitable[bytes]]


class Hit(Struct, frozen=True, array_like=True):
    """`score` is the cosine similarity of chunk and question, `words` what BM25 says of them: 0 where the chunk is not
    among the best by words."""

    number: int
    score: float
    words: float = 0.0


class Vectors(Protocol):
    """Raises Fault UNAVAILABLE while the vectors can't be reached; whoever asks may ask again."""

    async def ensure(self, space: Space) -> bool:
        """Whether the space had to be made: there was nothing in it before."""
        ...

    async def upsert(self, space: Space, points: list[Point]) -> None: ...

    async def search(self, space: Space, where: Where, question: Question, *, limit: int) -> list[Hit]:
        """The best by meaning and the best by words, up to `limit` of each, in no order.

        What the words find may be looked up while the vector is awaited.
        """
        ...

    async def count(self, space: Space, where: Where) -> int: ...

    async def forget(self, workspace_id: UUID, context_id: UUID, document_ids: list[UUID] | None = None) -> None:
        """Delete the vectors of some documents, or of a whole context, in every space."""
        ...

    async def close(self) -> None: ...
