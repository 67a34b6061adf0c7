"""DOCX: paragraphs, headings and tables of a Word document, in order."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from docx import Document
from docx.opc.exceptions import OpcError
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml.etree import LxmlError

from services.retrieval.readers import Unreadable

# What a document unpacks to, and how much more that may be than the file: beyond it, it is a bomb.
_UNPACKED = 200 * 1024 * 1024
_RATIO = 200
_MEMBERS = 10_000


def read(path: Path) -> Iterator[str]:
    try:
        _check(path)
        for block in Document(str(path)).iter_inner_content():
            yield from _paragraph(block) if isinstance(block, Paragraph) else _table(block)
    except (OpcError, LxmlError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, EOFError) as error:
        raise Unreadable("The Word document is damaged and can't be read.") from error


def _check(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > _MEMBERS or unpacked > _UNPACKED or unpacked > _RATIO * path.stat().st_size + 1024 * 1024:
            raise Unreadable("The Word document unpacks to far more than a document holds.")
        if any(member.flag_bits & 1 for member in members):
            raise Unreadable("The Word document is protected by a password: remove the password first.")
        for member in members:
            if member.filename.endswith((".xml", ".rels")):
                _refuse_entities(archive, member)


def _refuse_entities(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Office Open XML has no document type (ECMA-376-2, 8.1.4); one is there to smuggle entities in."""
    with archive.open(member) as part:
        head = part.read(8192)
    if b"<!DOCTYPE" in head.replace(b"\x00", b""):
        raise Unreadable("The Word document holds XML entities, which no Word document has.")


def _paragraph(paragraph: Paragraph) -> Iterator[str]:
    text = paragraph.text.strip()
    if not text:
        return
    style = paragraph.style.name if paragraph.style is not None else None
    yield f"{_mark(style or '')}{text}\n\n"


def _mark(style: str) -> str:
    name, _, level = style.rpartition(" ")
    if style == "Title":
        return "# "
    if name == "Heading" and level.isdigit():
        return "#" * min(int(level), 6) + " "
    return "- " if style.startswith("List") else ""


def _table(table: Table) -> Iterator[str]:
    for row in table.rows:
        cells = [" ".join(cell.text.split()) for cell in row.cells]
        # A merged cell is there once for each column that it spans.
        texts = [cell for cell, before in zip(cells, [None, *cells], strict=False) if cell and cell != before]
        if texts:
            yield " | ".join(texts) + "\n"
    yield "\n"
