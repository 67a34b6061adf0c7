"""PDF: the text of each page."""

from collections.abc import Iterator
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from services.retrieval.readers import Unreadable


def read(path: Path) -> Iterator[str]:
    reader = _opened(path)
    seen = False
    for page in _pages(reader):
        seen = seen or bool(page.strip())
        yield page + "\n\n"
    if not seen:
        raise Unreadable("The PDF holds no text; it may be scanned pages: run a text recognition (OCR) first.")


def _opened(path: Path) -> PdfReader:
    try:
        reader = PdfReader(path)
        # Many files are encrypted against changes alone, under an empty password.
        locked = reader.is_encrypted and not reader.decrypt("")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        raise Unreadable("The PDF is damaged and can't be opened.") from error
    if locked:
        raise Unreadable("The PDF is protected by a password: remove the password first.")
    return reader


def _pages(reader: PdfReader) -> Iterator[str]:
    try:
        for page in reader.pages:
            yield page.extract_text()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        raise Unreadable("The PDF is damaged: a page can't be read.") from error
