"""What the child process that holds the embedded engine is asked. Light: both sides import it."""

from uuid import UUID

from msgspec import Struct

from services.retrieval.vectors import Point, Space, Where


class Ensure(Struct, frozen=True, tag="ensure"):
    """Answered by whether the space had to be made."""

    space: Space


class Upsert(Struct, frozen=True, tag="upsert"):
    space: Space
    points: list[Point]


class Ahead(Struct, frozen=True, tag="ahead"):
    """What the words of a search find: looked up now, kept for the Search of this `id`, and not answered."""

    id: int
    space: Space
    where: Where
    text: str
    limit: int


class Search(Struct, frozen=True, tag="search"):
    """Answered by Hits."""

    words: Ahead
    vector: bytes


class Count(Struct, frozen=True, tag="count"):
    space: Space
    where: Where


class Forget(Struct, frozen=True, tag="forget"):
    workspace_id: UUID
    context_id: UUID
    document_ids: list[UUID] | None = None


Call = Ensure | Upsert | Ahead | Search | Count | Forget
