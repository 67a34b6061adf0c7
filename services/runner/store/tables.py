"""Nouns that stand in one table, whose columns are the fields of the contract's Struct.

The rule: every statement names the workspace, so that another one's row is not there.
"""

from typing import Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts.faults import not_found
from libs.contracts.paging import Page, Slice
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, perhaps

T = TypeVar("T", bound=Struct)

_OF_ITSELF = ("id", "workspace_id", "created_by", "created_at", "updated_at")


class Table(Generic[T]):
    """`noun` is what one of its rows is called to whom it is missing."""

    def __init__(self, name: str, of: type[T], noun: str, *, order: str = "created_at, id") -> None:
        self._of, self._noun = of, noun
        self._fields = [field.name for field in msgspec.structs.fields(of)]
        self._changing = [name for name in self._fields if name not in _OF_ITSELF]
        rows = f"SELECT {', '.join(self._fields)} FROM {name}"
        places = ", ".join(f"${place}" for place, _ in enumerate(self._fields, 1))
        changes = ", ".join(f"{field} = ${place}" for place, field in enumerate(self._changing, 3))
        self._listing = Listing(rows, name, order)
        self._select = f"{rows} WHERE workspace_id = $1 AND id = $2"
        self._insert = f"INSERT INTO {name} ({', '.join(self._fields)}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"
        self._update = f"UPDATE {name} SET {changes}, updated_at = now() WHERE workspace_id = $1 AND id = $2"
        self._delete = f"DELETE FROM {name} WHERE workspace_id = $1 AND id = $2"

    async def insert(self, connection: Database | Connection, row: T) -> bool:
        """False where there is one of that id already."""
        done = await connection.execute(self._insert, *(getattr(row, name) for name in self._fields))
        return done.endswith("1")

    async def find(self, database: Database | Connection, workspace_id: UUID, id: UUID) -> T | None:
        return perhaps(await database.fetchrow(self._select, workspace_id, id), self._of)

    async def get(self, database: Database | Connection, workspace_id: UUID, id: UUID) -> T:
        """Raises Fault NOT_FOUND."""
        return self._there(await self.find(database, workspace_id, id), id)

    async def lock(self, connection: Connection, workspace_id: UUID, id: UUID) -> T:
        """Nobody else changes it until the end of the transaction. Raises Fault NOT_FOUND."""
        row = await connection.fetchrow(f"{self._select} FOR UPDATE", workspace_id, id)
        return self._there(perhaps(row, self._of), id)

    async def page(
        self, database: Database, workspace_id: UUID, slice: Slice, where: str = "true", *args: object
    ) -> Page[T]:
        """Those of the workspace for which `where` holds, whose arguments are counted from $2 on."""
        return await self._listing.page(
            database, self._of, f"workspace_id = $1 AND {where}", slice, workspace_id, *args
        )

    async def replace(self, connection: Database | Connection, row: T) -> None:
        """All that may change of it; who made it and when stays."""
        key = (getattr(row, name) for name in ("workspace_id", "id"))
        await connection.execute(self._update, *key, *(getattr(row, name) for name in self._changing))

    async def delete(self, connection: Database | Connection, workspace_id: UUID, id: UUID) -> None:
        await connection.execute(self._delete, workspace_id, id)

    def _there(self, row: T | None, id: UUID) -> T:
        if row is None:
            raise not_found(self._noun, id)
        return row
