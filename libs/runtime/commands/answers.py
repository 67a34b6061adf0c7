"""What a command says: rows as a table for people, the same as JSON for programs."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct


class Answer(Struct, frozen=True):
    """`value` is what --json prints; `rows` are its Structs, `columns` the fields a person wants to see of them,
    none where there is no table to show.
    """

    value: Any
    rows: Sequence[Struct]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def as_json(answer: Answer) -> str:
    return msgspec.json.format(msgspec.json.encode(answer.value)).decode() + "\n"


def as_table(answer: Answer) -> str:
    rows = [[_cell(row, column) for column in answer.columns] for row in answer.rows]
    lines = _lines(answer.columns, rows) if answer.columns else []
    return "".join(f"{line}\n" for line in (*lines, *answer.notes))


def _lines(columns: Sequence[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return ["(none)"]
    table = [[column.upper().replace("_", " ") for column in columns], *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _cell(row: Struct, column: str) -> str:
    value = msgspec.to_builtins(getattr(row, column))
    if value is None:
        return "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
