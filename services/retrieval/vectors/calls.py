"""What the child process that holds the embedded engine is asked. Light: both sides import it."""

from uuid import UUID

from msgspec import Struct

from services.retrieval.vectors import Point, Question, Space, Where


class Ensure(Struct, frozen=True, tag="ensure"):
    """Answered by whether the space had to be made."""

    space: Space


class Upsert(Struct, frozen=True, tag="upsert"):
    space: Space
    points: list[Point]


class Search(Struct, frozen=True, tag="search"):
    """Answered by Hits."""

    space: Space
    where: Where
    question: Question
    limit: int


class Count(Struct, frozen=True, tag="count"):
    space: Space
    where: Where


class Forget(Struct, frozen=True, tag="forget"):
    workspace_id: UUID
    context_id: UUID
    document_ids: list[UUID] | None = None


Call = Ensure | Upsert | Search | Count | Forget
