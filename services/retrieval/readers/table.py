"""CSV: each row as a line that names its columns, so that a passage of a few rows makes sense by itself."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from services.retrieval.readers import Unreadable
from services.retrieval.readers.plain import decoded

_SAMPLE = 16 * 1024
_LONGEST_CELL = 10_000_000


def read(path: Path) -> Iterator[str]:
    csv.field_size_limit(_LONGEST_CELL)
    text = decoded(path.read_bytes())
    rows = csv.reader(io.StringIO(text, newline=""), _dialect(text[:_SAMPLE]))
    try:
        header = next(rows, [])
        named = _is_header(header)
        if not named:
            yield _line([], header)
        for row in rows:
            yield _line(header if named else [], row)
    except csv.Error as error:
        raise Unreadable(f"Line {rows.line_num} of the table can't be read: {error}.") from None


def _dialect(sample: str) -> "type[csv.Dialect]":
    try:
        return csv.Sniffer().sniff(sample.rpartition("\n")[0] or sample, delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def _is_header(row: list[str]) -> bool:
    """Names: all there, all different, none a number."""
    names = [name.strip() for name in row]
    return all(names) and len(set(names)) == len(names) and not any(map(_is_number, names))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _line(header: list[str], row: list[str]) -> str:
    cells = [" ".join(cell.split()) for cell in row]
    if not header:
        return " | ".join(cells).strip(" |") + "\n"
    named = zip(header + [""] * (len(cells) - len(header)), cells, strict=False)
    return "; ".join(f"{name.strip()}: {cell}" if name else cell for name, cell in named if cell) + "\n"
