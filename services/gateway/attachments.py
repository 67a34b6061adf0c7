"""Attachments: files that come with a message. Images go to the model as they are, of a document its text.

Shared by every voice. The rule: nothing is left out in silence; what can't be taken is refused by its name.
"""

import asyncio

from aiohttp import web
from msgspec import Struct

from libs.contracts import files, runs
from libs.contracts.faults import Code, Fault
from services.gateway.engine import ask
from services.gateway.http.voices import CALLER

MOST_BYTES = 20 << 20
_READ_SECONDS = 90.0
_PDF = "application/pdf"
_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", _PDF),
)
TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", _PDF)


class File(Struct, frozen=True):
    name: str
    content: bytes


class Taken(Struct, frozen=True):
    """`texts` are those of the documents."""

    images: list[runs.Image]
    texts: list[str]


def media_type(file: File) -> str:
    """What it is by its content. Raises Fault UNSUPPORTED, TOO_LARGE."""
    if len(file.content) > MOST_BYTES:
        raise too_large(file.name)
    for start, kind in _SIGNATURES:
        # A PDF may have something before it.
        if file.content.startswith(start) or (kind == _PDF and start in file.content[:1024]):
            return kind
    if file.content.startswith(b"RIFF") and file.content[8:12] == b"WEBP":
        return "image/webp"
    raise unsupported(file.name)


def too_large(name: str) -> Fault:
    return Fault(Code.TOO_LARGE, f"{name} is too large: an attachment has {MOST_BYTES >> 20} MB at most.")


def unsupported(name: str) -> Fault:
    return Fault(Code.UNSUPPORTED, f"{name} can't be taken: attach a JPEG, PNG, GIF or WebP image, or a PDF.")


async def taken(request: web.Request, given: list[File]) -> Taken:
    """Raises Fault as `media_type` does, and INVALID for a document that can't be read."""
    kinds = [media_type(file) for file in given]
    pictures = [
        runs.Image(file.name, kind, file.content) for file, kind in zip(given, kinds, strict=True) if kind != _PDF
    ]
    documents = [file for file, kind in zip(given, kinds, strict=True) if kind == _PDF]
    return Taken(pictures, await asyncio.gather(*(_text(request, file) for file in documents)))


async def _text(request: web.Request, file: File) -> str:
    asked = files.ReadFile(request[CALLER].workspace_id, file.name, file.content)
    try:
        text = await ask(request, files.READ, asked, timeout=_READ_SECONDS)
    except Fault as fault:
        if fault.code is not Code.INVALID:
            raise
        raise Fault(fault.code, f"{file.name} can't be read: {fault.message}") from None
    return f"The attached file {file.name} says:\n\n{text}"
