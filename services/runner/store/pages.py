"""Pages of rows, as every noun here lists itself: a slice, and how many there are in all."""

from typing import TypeVar

import msgspec
from asyncpg import Record
from msgspec import Struct

from libs.contracts.paging import Page, Slice
from libs.postgres.database import Database

T = TypeVar("T")
_FURTHEST = 2**31 - 1


class Listing(Struct, frozen=True):
    """`rows` is the SELECT of what is shown, `among` the tables that it is counted in."""

    rows: str
    among: str
    order: str

    async def page(self, database: Database, of: type[T], where: str, slice: Slice, *args: object) -> Page[T]:
        place, count = len(args) + 1, f"SELECT count(*) FROM {self.among} WHERE {where}"
        rows = f"{self.rows} WHERE {where} ORDER BY {self.order} OFFSET ${place} LIMIT ${place + 1}"
        offset, limit = _bounded(slice.offset), _bounded(slice.limit)
        async with database.acquire() as connection:
            found = await connection.fetch(rows, *args, offset, limit)
            whole = offset == 0 and len(found) < limit
            total = len(found) if whole else await connection.fetchval(count, *args)
        return Page([one(row, of) for row in found], total)


def one(row: Record, of: type[T]) -> T:
    """A row whose columns are the fields of a contract's Struct."""
    return msgspec.convert(dict(row), of)


def perhaps(row: Record | None, of: type[T]) -> T | None:
    return None if row is None else one(row, of)


def _bounded(number: int) -> int:
    return min(max(number, 0), _FURTHEST)
