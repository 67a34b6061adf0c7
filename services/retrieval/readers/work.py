"""Reading one file, in a process of its own: from bytes to text to chunks, or to a reason a person understands."""

import ctypes
import logging
import os
import resource
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.retrieval import chunking
from services.retrieval.readers import Unreadable, docx, html, kinds, pdf, plain, sitemap, table
from services.retrieval.readers.calls import BROKEN, TOO_MUCH_MEMORY, Read, Refused, Result, Text
from services.retrieval.readers.kinds import Kind

_RESULT_BYTES = 512 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

# It remarks on every oddity of a file, in a log that is ours.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def run(question: Read) -> int:
    """The exit code of this process."""
    try:
        _confine(question)
        Path(question.result).write_bytes(msgspec.msgpack.encode(_result(question)))
    except MemoryError:
        return TOO_MUCH_MEMORY
    except Exception:
        traceback.print_exc()
        return BROKEN
    return 0


def _result(question: Read) -> Result:
    try:
        path = Path(question.path)
        if question.sitemap and (listed := sitemap.read(path)) is not None:
            return listed
        kind = Kind.TEXT if question.plain else kinds.of(path, question.name, question.media_type)
        text = chunking.tidy(_joined(_parts(kind, path, question.media_type), question.characters))
        # What UTF-8 and Postgres don't take, as everywhere: U+FFFD.
        text = text.replace("\x00", "�").encode(errors="surrogatepass").decode(errors="replace")
        chunks = chunking.split(text, question.bounds, markdown=kind in (Kind.MARKDOWN, Kind.HTML, Kind.DOCX))
    except Unreadable as error:
        return Refused(str(error))
    except RecursionError:
        return Refused("The file is nested too deeply to be read.")
    return Text(text, chunks) if chunks else Refused("The file holds no text.")


def _parts(kind: Kind, path: Path, media_type: str) -> Iterator[str]:
    match kind:
        case Kind.PDF:
            return pdf.read(path)
        case Kind.DOCX:
            return docx.read(path)
        case Kind.HTML:
            return html.read(path, media_type)
        case Kind.CSV:
            return table.read(path)
        case Kind.MARKDOWN | Kind.TEXT:
            return plain.read(path)


def _joined(parts: Iterator[str], most: int) -> str:
    kept: list[str] = []
    length = 0
    for part in parts:
        length += len(part)
        if length > most:
            raise Unreadable(f"The file holds more than {most:,} characters of text: split it.")
        kept.append(part)
    return "".join(kept)


def _confine(question: Read) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (question.memory, question.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (question.seconds, question.seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_RESULT_BYTES, _RESULT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
