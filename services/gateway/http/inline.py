"""Files inside JSON: base64, bare or as a `data:` URL, decoded piece by piece on their way to a blob."""

import binascii
import mimetypes
from collections.abc import AsyncIterator, Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote
from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.contracts import files
from libs.contracts.faults import Code, Fault
from services.gateway.engine import ask
from services.gateway.http import uploads
from services.gateway.http.voices import CALLER

_PIECE = 64 << 10
_LONGEST_HEAD = 2000
_LONGEST_NAME = 200
# Some encoders break lines, and some write the alphabet for URLs.
_BREAKS, _ALPHABET = b" \t\r\n", bytes.maketrans(b"-_", b"+/")


class File(Struct, frozen=True):
    """`content` is base64, `start` where it begins in it."""

    name: str
    content: str
    start: int = 0


def file(text: str, *, name: str = "", field: str = "file") -> File:
    """`data:<media type>;name=<name>;base64,<base64>`, or base64 alone. Raises Fault INVALID.

    The name given beside it counts first. One without a suffix gets that of the media type, which tells what it is.
    """
    if not text.startswith("data:"):
        return File(name or "file", text)
    head, comma, _ = text[:_LONGEST_HEAD].partition(",")
    media_type, *parameters = head.removeprefix("data:").split(";")
    if not comma or "base64" not in (parameter.strip().lower() for parameter in parameters):
        raise Fault(Code.INVALID, "Expected data:<media type>;base64,<base64>.", field=field)
    own = next((unquote(each.partition("=")[2]) for each in parameters if each.strip().startswith("name=")), "")
    return File(_suffixed(name or own or "file", media_type), text, len(head) + 1)


def _suffixed(name: str, media_type: str) -> str:
    suffix = "" if PurePosixPath(name).suffix else mimetypes.guess_extension(media_type.strip()) or ""
    return name[: _LONGEST_NAME - len(suffix)] + suffix


async def store(request: web.Request, file: File, *, field: str = "file") -> UUID:
    """The upload that holds it, finished. Raises Fault INVALID for what is no base64, TOO_LARGE."""
    upload = await ask(request, files.BEGIN, files.BeginUpload(request[CALLER].workspace_id, file.name))
    await uploads.take(request, uploads.Ticket.of(upload), _chunks(file, field))
    return upload.id


async def _chunks(file: File, field: str) -> AsyncIterator[bytes]:
    for chunk in decoded(file, field=field):
        yield chunk


def decoded(file: File, *, field: str = "file") -> Iterator[bytes]:
    """Raises Fault INVALID."""
    rest, ended = b"", False
    for start in range(file.start, len(file.content), _PIECE):
        piece = rest + _letters(file.content[start : start + _PIECE], field)
        whole = len(piece) - len(piece) % 4
        rest = piece[whole:]
        if whole and ended:
            raise _no_base64(field)
        if whole:
            ended = piece[:whole].endswith(b"=")
            yield _bytes(piece[:whole], field)
    if rest and ended:
        raise _no_base64(field)
    if rest:
        yield _bytes(rest.ljust(4, b"="), field)


def _letters(text: str, field: str) -> bytes:
    try:
        return text.encode("ascii").translate(_ALPHABET, _BREAKS)
    except UnicodeEncodeError:
        raise _no_base64(field) from None


def _bytes(letters: bytes, field: str) -> bytes:
    try:
        return binascii.a2b_base64(letters, strict_mode=True)
    except binascii.Error:
        raise _no_base64(field) from None


def _no_base64(field: str) -> Fault:
    return Fault(Code.INVALID, "The file is no valid base64.", field=field)
