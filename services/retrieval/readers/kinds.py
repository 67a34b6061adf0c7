"""What a file is: by its content first, then by its name. A name only chooses between kinds of text."""

import re
import zipfile
from enum import StrEnum
from pathlib import Path, PurePosixPath

from services.retrieval.readers import Unreadable


class Kind(StrEnum):
    PDF = "pdf"
    DOCX = "docx"
    HTML = "html"
    MARKDOWN = "markdown"
    CSV = "csv"
    TEXT = "text"


_HEAD = 4096
_NAMES = {
    ".pdf": Kind.PDF,
    ".docx": Kind.DOCX,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
    ".xhtml": Kind.HTML,
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
}
_MEDIA_TYPES = {"text/html": Kind.HTML, "text/markdown": Kind.MARKDOWN, "text/csv": Kind.CSV}
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"RIFF": "a sound, video or image file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"ID3": "a sound file",
    b"OggS": "a sound file",
    b"SQLite format 3": "a database",
}
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*(<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_SUPPORTED = "PDF, HTML, Markdown, CSV, DOCX and plain text can be read."


def of(path: Path, name: str, media_type: str = "") -> Kind:
    """Raises Unreadable for what is no document, and where name and content contradict each other."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise Unreadable("The file is empty.")
    named, found = _by_name(name, media_type), _by_content(path, head)
    if named in (Kind.PDF, Kind.DOCX) and found not in (Kind.PDF, Kind.DOCX):
        raise Unreadable(f"The file is named like a {named.upper()} file, but its content is something else.")
    return found or named


def _by_content(path: Path, head: bytes) -> Kind | None:
    if b"%PDF-" in head[:1024]:
        return Kind.PDF
    if head.startswith(b"PK\x03\x04"):
        return _zipped(path)
    if head.startswith(_OLD_OFFICE):
        raise Unreadable("This is an old or password-protected Office file: save it as an unprotected DOCX or PDF.")
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise Unreadable(f"This is {what}, not a document. {_SUPPORTED}")
    if _is_binary(head):
        raise Unreadable(f"This is a binary file, not a document. {_SUPPORTED}")
    return Kind.HTML if _HTML.match(head) else None


def _zipped(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError):
        raise Unreadable("The file is damaged: its archive can't be opened.") from None
    if "word/document.xml" in names:
        return Kind.DOCX
    what = "a spreadsheet" if "xl/workbook.xml" in names else "a zip archive"
    raise Unreadable(f"This is {what}, not a document. {_SUPPORTED}")


def _by_name(name: str, media_type: str) -> Kind:
    suffix = PurePosixPath(name.lower()).suffix
    return _NAMES.get(suffix) or _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower(), Kind.TEXT)


def _is_binary(head: bytes) -> bool:
    """Text has no NUL unless it is UTF-16 or UTF-32, and few other control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return False
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)
    zeros = head.count(0)
    utf16 = zeros > len(head) * 0.2 and min(head[::2].count(0), head[1::2].count(0)) == 0
    return controls > 2 + len(head) * 0.02 and not utf16
