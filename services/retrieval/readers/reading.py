"""Reading a file, as the service sees it: a path goes out to the reading process, text and chunks come back."""

import asyncio
import logging
import signal
from pathlib import Path

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.retrieval.children.child import Child, Died
from services.retrieval.chunking import Bounds
from services.retrieval.readers import Unreadable
from services.retrieval.readers.calls import TOO_MUCH_MEMORY, Listed, Read, Refused, Result, Text

log = logging.getLogger(__name__)

# A person who adds one file often adds another; after that the memory is worth more.
_IDLE = 60.0
_TOO_LONG = (-signal.SIGXCPU, -signal.SIGKILL)
# Rust aborts where it gets no memory.
_TOO_MUCH = (TOO_MUCH_MEMORY, -signal.SIGABRT)

_decode = msgspec.msgpack.Decoder(Result).decode


class Limits(Struct, frozen=True):
    """What reading one file may take: seconds of CPU time, bytes of memory; and the most characters of its text."""

    seconds: int = 60
    memory: int = 1024 * 1024 * 1024
    characters: int = 20_000_000


class Reader:
    def __init__(self, bounds: Bounds, limits: Limits) -> None:
        self._bounds, self._limits = bounds, limits
        self._child = Child("services.retrieval.readers.process", idle=_IDLE)

    async def read(self, path: Path, *, name: str, media_type: str = "", plain: bool = False) -> Text:
        """Raises Unreadable; Fault UNAVAILABLE when the reading process itself doesn't live."""
        match await self._result(self._question(path, name, media_type, plain)):
            case Text() as text:
                return text
            case _:
                raise Unreadable("The file holds no text.")

    async def read_or_list(self, path: Path, *, name: str, media_type: str = "") -> Text | Listed:
        """A sitemap's addresses where it is one, else as `read`."""
        return await self._result(msgspec.structs.replace(self._question(path, name, media_type, False), sitemap=True))

    async def _result(self, question: Read) -> Text | Listed:
        code = await self._code(question)
        if code in _TOO_LONG:
            raise Unreadable("Reading the file took too long: it is too complex. Split it or simplify it.")
        if code in _TOO_MUCH:
            raise Unreadable("Reading the file needs too much memory: it is too complex. Split it or simplify it.")
        if code != 0:
            raise Unreadable("The file is damaged and can't be read.")
        match await asyncio.to_thread(_load, Path(question.result)):
            case Refused(reason):
                raise Unreadable(reason)
            case found:
                return found

    async def close(self) -> None:
        await self._child.close()

    def _question(self, path: Path, name: str, media_type: str, plain: bool) -> Read:
        limits, result = self._limits, path.with_name(path.name + ".result")
        return Read(
            *(str(path), str(result), name, media_type, plain, self._bounds),
            characters=limits.characters,
            seconds=limits.seconds,
            memory=limits.memory,
        )

    async def _code(self, question: Read) -> int:
        for _ in range(2):
            try:
                return msgspec.msgpack.decode(await self._child.ask(question), type=int)
            except Died:
                log.warning("The process that reads files died and is started again")
        raise Fault(Code.UNAVAILABLE, "Files can't be read at the moment.", retry_after=5)


def _load(result: Path) -> Result:
    return _decode(result.read_bytes())
