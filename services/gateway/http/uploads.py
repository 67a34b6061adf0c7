"""Uploads: a file on its way from a client's multipart body to a blob, never whole in memory.

The right to send it is the address itself: a ticket that the engine sealed, good for one file. The same address, given
to a context, names the file.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from libs.contracts import files
from libs.contracts.faults import Code, Fault
from libs.runtime.sealing import Sealer
from services.gateway.effects.keeper import Effect
from services.gateway.engine import ENGINE, ask
from services.gateway.http import idempotency, reply

T = TypeVar("T")

_ABOUT = b"upload"
# Stands where an Idempotency-Key does, and is none that a client could give.
_FIRST = ""
_SECONDS = 24 * 3600
_CHUNK = 64 << 10
_MOST_BESIDE = 64 << 10
_SILENT_SECONDS = 60.0
_RETRY_SECONDS = 10.0


class Ticket(Struct, frozen=True, array_like=True):
    workspace_id: UUID
    upload_id: UUID
    blob: str
    max_bytes: int

    @classmethod
    def of(cls, upload: files.Upload) -> "Ticket":
        return cls(upload.workspace_id, upload.id, upload.blob, upload.max_bytes)


def sealed(sealer: Sealer, upload: files.Upload) -> str:
    """The ticket as it stands in an address, good for 24 hours."""
    ticket = Ticket.of(upload)
    return sealer.token(msgspec.msgpack.encode(ticket), about=_ABOUT, seconds=_SECONDS)


def opened(sealer: Sealer, token: str) -> Ticket:
    """Raises Fault FORBIDDEN."""
    return msgspec.msgpack.decode(sealer.read_token(token, about=_ABOUT), type=Ticket)


async def receive(request: web.Request, ticket: Ticket) -> web.Response:
    """Takes the part `file` in. Raises Fault UNSUPPORTED, MALFORMED, INVALID, TOO_LARGE, or CONFLICT where another file
    was taken in, or is being sent.

    Under an Idempotency-Key, one that was taken in before is only compared.
    """
    if not idempotency.is_given(request):
        await _take_first(request, ticket)
        return reply.nothing()
    return await idempotency.once_read(
        request,
        ticket.upload_id,
        take=lambda: _take_first(request, ticket),
        skim=lambda: _skim(request, ticket),
        done=reply.nothing(),
    )


async def _take_first(request: web.Request, ticket: Ticket) -> bytes:
    """The file's digest. An address takes one file, however many have it: the others are refused."""
    chunks = await _parts(request)
    effect = await _reserved(request, ticket)
    if effect.answer is None:
        return await idempotency.bring_about(
            request, effect, take=lambda: _take_hashed(request, ticket, chunks), done=reply.nothing()
        )
    if idempotency.is_given(request) and (digest := await _skim_hashed(ticket, chunks)) == effect.request:
        # Its gateway was killed before it could keep the answer under the key.
        return digest
    raise Fault(Code.CONFLICT, "A file was sent to this address before: have another one made for this one.")


async def _reserved(request: web.Request, ticket: Ticket) -> Effect:
    try:
        return await request.app[ENGINE].effects.begin(ticket.upload_id, _FIRST, None)
    except Fault as fault:
        if fault.code is not Code.CONFLICT:
            raise
        message = "A file is being sent to this address, which takes one: ask again in case that one breaks off."
        raise Fault(fault.code, message, retry_after=_RETRY_SECONDS) from None


async def _take_hashed(request: web.Request, ticket: Ticket, chunks: AsyncIterator[bytes]) -> bytes:
    digest = hashlib.sha256()
    await take(request, ticket, _hashed(chunks, digest))
    return digest.digest()


async def _skim(request: web.Request, ticket: Ticket) -> bytes:
    return await _skim_hashed(ticket, await _parts(request))


async def _skim_hashed(ticket: Ticket, chunks: AsyncIterator[bytes]) -> bytes:
    digest, size = hashlib.sha256(), 0
    async for chunk in _hashed(chunks, digest):
        size += len(chunk)
        if size > ticket.max_bytes:
            break  # it is another file, whatever follows
    return digest.digest()


async def take(request: web.Request, ticket: Ticket, chunks: AsyncIterator[bytes]) -> None:
    """Raises Fault TOO_LARGE, and NOT_FOUND for an upload that was swept."""
    blobs = request.app[ENGINE].blobs
    size = await blobs.put(ticket.blob, chunks, max_bytes=ticket.max_bytes)
    try:
        await ask(request, files.FINISH, files.FinishUpload(ticket.workspace_id, ticket.upload_id, size))
    except Fault as fault:
        if fault.code is Code.NOT_FOUND:
            # Nothing names this blob any more, so no sweep would find it.
            await blobs.delete(ticket.blob)
        raise


async def _parts(request: web.Request) -> AsyncIterator[bytes]:
    reader = await _reader(request)
    return _chunks(reader, await _file(reader))


async def _hashed(chunks: AsyncIterator[bytes], digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for chunk in chunks:
        digest.update(chunk)
        yield chunk


async def _reader(request: web.Request) -> MultipartReader:
    if request.content_type != "multipart/form-data":
        raise Fault(Code.UNSUPPORTED, "Send the file as multipart/form-data, in the part `file`.")
    with _readable():
        return await request.multipart()


async def _file(reader: MultipartReader) -> BodyPartReader:
    passed = 0
    with _readable():
        while (part := await reader.next()) is not None:
            if isinstance(part, MultipartReader):
                break
            if part.name == "file":
                return part
            passed += await _pass_over(part, _MOST_BESIDE - passed)
    raise Fault(Code.INVALID, "There is no such part in the body.", field="file")


async def _pass_over(part: BodyPartReader, most: int) -> int:
    passed = 0
    while chunk := await part.read_chunk(_CHUNK):
        passed += len(chunk)
        if passed > most:
            raise Fault(Code.TOO_LARGE, "The parts beside `file` are too large.")
    return passed


async def _chunks(reader: MultipartReader, part: BodyPartReader) -> AsyncIterator[bytes]:
    """A file is whole when the boundary follows it."""
    with _readable():
        while chunk := await _soon(part.read_chunk(_CHUNK)):
            yield bytes(chunk)
        await _soon(reader.next())


async def _soon(read: Awaitable[T]) -> T:
    """A client that is gone without a word holds the address no longer than this."""
    try:
        async with asyncio.timeout(_SILENT_SECONDS):
            return await read
    except TimeoutError:
        raise Fault(Code.MALFORMED, f"Nothing more of the file came for {_SILENT_SECONDS:.0f} seconds.") from None


@contextmanager
def _readable() -> Generator[None]:
    """aiohttp says in all these ways that a body is not what it should be."""
    try:
        yield
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError, web.RequestPayloadError):
        raise Fault(Code.MALFORMED, "The body is no readable multipart/form-data.") from None
