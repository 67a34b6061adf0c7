"""Plain text and Markdown: bytes in some character set."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from services.retrieval.readers import Unreadable

_SAMPLE = 64 * 1024
_DECLARED = re.compile(rb"""charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(path: Path) -> Iterator[str]:
    yield decoded(path.read_bytes())


def decoded(content: bytes, media_type: str = "") -> str:
    """By its byte order mark, as UTF-8 if it is, as declared (HTML, HTTP), or as it looks."""
    for mark, charset in _MARKS:
        if content.startswith(mark):
            return content.decode(charset, "replace")
    if content[:_SAMPLE].count(0) > len(content[:_SAMPLE]) * 0.2:
        # UTF-16 without a mark: the zeros of Latin letters are in the higher byte.
        return content.decode("utf-16-be" if content[0] == 0 else "utf-16-le", "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode(_declared(content, media_type) or _guessed(content), "replace")


def _declared(content: bytes, media_type: str) -> str | None:
    for place in (media_type.encode(errors="ignore"), content[:2048]):
        if (found := _DECLARED.search(place)) and (charset := _known(found[1].decode())):
            return charset
    return None


def _known(charset: str) -> str | None:
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return None


def _guessed(content: bytes) -> str:
    from charset_normalizer import from_bytes

    guess = from_bytes(content[:_SAMPLE]).best()
    if guess is None:
        raise Unreadable("The file's character set can't be told: save it as UTF-8.")
    return guess.encoding
