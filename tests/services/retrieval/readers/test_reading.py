"""Every kind of file is read; every bad one is refused with a reason for a person, and harms nothing."""

import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from services.retrieval.chunking import Bounds
from services.retrieval.readers import Unreadable
from services.retrieval.readers.calls import Text
from services.retrieval.readers.reading import Limits, Reader
from tests.services.retrieval.readers import files

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(scope="module")
async def reader() -> AsyncIterator[Reader]:
    reader = Reader(Bounds(), Limits(seconds=20))
    yield reader
    await reader.close()


async def read(reader: Reader, folder: Path, name: str, content: bytes, media_type: str = "") -> Text:
    path = folder / "file"
    path.write_bytes(content)
    return await reader.read(path, name=name, media_type=media_type)


def newest_reading_process() -> psutil.Process:
    reading = [each for each in psutil.Process().children() if "services.retrieval.readers.process" in each.cmdline()]
    return max(reading, key=psutil.Process.create_time)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.pdf", files.pdf("The first page.", "The second page."), "The first page.\n\nThe second page."),
        ("named.txt", files.pdf("A PDF by its content."), "A PDF by its content."),
        ("open.pdf", files.encrypted_pdf("", "Locked against changes alone."), "Locked against changes alone."),
        (
            "a.docx",
            files.docx(),
            "# The lighthouse\n\nIt was built in 1874 by fishermen.\n\nPart | Height\nLamp | 31 m\n\n"
            "Nobody lives there today.",
        ),
        (
            "a.html",
            files.HTML,
            "# Harbour\n\n# The harbour\n\nBoats leave at six in the morning.\n\nafter\n\n- nets\n- ropes\n\n"
            "Boat | Length |\nMaria | 12 m |\n\n  keep\n    this",
        ),
        ("a.csv", files.CSV, "boat: Maria; length: 12; crew: 3\nboat: Olga; length: 9"),
        ("a.csv", b"1;2;3\n4;5;6\n", "1 | 2 | 3\n4 | 5 | 6"),
        ("a.csv", b"a,b\n1,2,3\n", "a: 1; b: 2; 3"),
        ("a.md", b"# Title\n\nSome *text*.\n", "# Title\n\nSome *text*."),
        ("a.txt", b"Plain text.\r\n\r\n\r\n\r\nMore.", "Plain text.\n\nMore."),
        ("noname", b"Text without a name.", "Text without a name."),
        ("a.json", b'{"a": 1}', '{"a": 1}'),
        ("a.txt", "Zürich, naïve – “quoted”".encode(), "Zürich, naïve – “quoted”"),
        ("a.txt", "Zürich".encode("utf-8-sig"), "Zürich"),
        ("a.txt", "Zürich und Genf".encode("utf-16"), "Zürich und Genf"),
        ("a.txt", "Zürich und Genf".encode("utf-16-le"), "Zürich und Genf"),
        ("a.txt", "Zürich und Genf".encode("utf-32"), "Zürich und Genf"),
        (
            "a.txt",
            ("Съешь же ещё этих мягких французских булок. " * 5).encode("cp1251"),
            ("Съешь же ещё этих мягких французских булок. " * 5).strip(),
        ),
        (
            "a.html",
            '<html><head><meta charset="shift_jis"></head><body>私は東京</body></html>'.encode("shift_jis"),
            "私は東京",
        ),
        ("a.txt", b"A NUL\x00 inside.", "A NUL� inside."),
    ],
    ids=itertools.count(),
)
async def test_a_file_is_read(reader: Reader, tmp_path: Path, name: str, content: bytes, text: str) -> None:
    found = await read(reader, tmp_path, name, content)
    assert found.text == text
    assert "".join(found.text[chunk.start : chunk.end] for chunk in found.chunks).strip()


async def test_what_a_server_says_of_a_page_is_believed(reader: Reader, tmp_path: Path) -> None:
    found = await read(reader, tmp_path, "page", b"<p>Z\xfcrich</p>", "text/html; charset=iso-8859-1")
    assert found.text == "Zürich"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t ", "is empty"),
        ("a.txt", b" " * 10_000, "is empty"),
        ("a.html", b"<html><body><script>1</script></body></html>", "holds no text"),
        ("a.pdf", b"%PDF-1.4\n garbage", "damaged"),
        ("a.pdf", files.pdf("text")[:200], "damaged"),
        ("a.pdf", files.pdf(""), "scanned"),
        ("a.pdf", files.encrypted_pdf("secret", "hidden"), "protected by a password"),
        ("a.pdf", b"<html>404 Not Found</html>", "named like a PDF"),
        ("a.pdf", b"just text", "named like a PDF"),
        ("a.docx", b"just text", "named like a DOCX"),
        ("a.docx", files.docx()[:500], "damaged"),
        ("a.docx", files.zipped(**{"word/document.xml": b"<broken"}), "damaged"),
        ("a.docx", files.docx_with(b"<w:broken"), "damaged"),
        ("a.docx", files.docx_with(files.BILLION_LAUGHS), "XML entities"),
        ("a.docx", files.docx_with(files.BILLION_LAUGHS.decode().encode("utf-16")), "XML entities"),
        ("a.docx", files.docx_with(b"<a/>", size=300_000_000), "unpacks to far more"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old or password-protected"),
        ("a.xlsx", files.zipped(**{"xl/workbook.xml": b"<a/>"}), "spreadsheet"),
        ("a.zip", files.zipped(a=b"text"), "zip archive"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
        ("a.txt", os.urandom(5000), "binary file"),
        ("a.txt", bytes(5000), "binary file"),
        ("a.csv", b"a,b\n" + b'"' + b"x" * 11_000_000, "can't be read"),
    ],
    ids=itertools.count(),
)
async def test_a_bad_file_is_refused_with_a_reason(
    reader: Reader, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        await read(reader, tmp_path, name, content)


async def test_a_line_of_ten_megabytes_is_cut(reader: Reader, tmp_path: Path) -> None:
    found = await read(reader, tmp_path, "a.txt", b"word " * 2_000_000)
    assert len(found.text) == 9_999_999
    assert max(chunk.end - chunk.start for chunk in found.chunks) < 2_000


async def test_html_nests_deep(reader: Reader, tmp_path: Path) -> None:
    found = await read(reader, tmp_path, "a.html", b"<html><body>" + b"<div>" * 4_000 + b"bottom")
    assert found.text == "bottom"


@pytest.mark.parametrize("opening", [b"<div>", b"<span><b>", b"<DIV x='1'>"])
async def test_html_that_nests_without_end_is_refused(reader: Reader, tmp_path: Path, opening: bytes) -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        await read(reader, tmp_path, "a.html", b"<html><body>" + opening * 100_000 + b"bottom")


async def test_a_long_page_of_open_paragraphs_is_read(reader: Reader, tmp_path: Path) -> None:
    found = await read(reader, tmp_path, "a.html", b"<html><body><ul>" + b"<li><p>item" * 20_000)
    assert found.text.count("item") == 20_000


async def test_too_much_text_is_refused(tmp_path: Path) -> None:
    reader = Reader(Bounds(), Limits(characters=1000))
    with pytest.raises(Unreadable, match="more than 1,000 characters"):
        await read(reader, tmp_path, "a.txt", b"word " * 1000)
    await reader.close()


async def test_a_file_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    reader = Reader(Bounds(), Limits(seconds=3))
    with pytest.raises(Unreadable, match="took too long"):
        await read(reader, tmp_path, "a.txt", "語".encode() * 6_000_000)
    assert (await read(reader, tmp_path, "b.txt", b"The next one is read.")).text == "The next one is read."
    await reader.close()


async def test_a_file_that_needs_too_much_memory_is_ended(tmp_path: Path) -> None:
    reader = Reader(Bounds(), Limits(memory=300 * 1024 * 1024))
    with pytest.raises(Unreadable, match="too much memory"):
        await read(reader, tmp_path, "a.txt", b"x" * 400_000_000)
    assert (await read(reader, tmp_path, "b.txt", b"The next one is read.")).text == "The next one is read."
    await reader.close()


async def test_a_reading_process_that_died_is_started_again(tmp_path: Path) -> None:
    reader = Reader(Bounds(), Limits())
    await read(reader, tmp_path, "a.txt", b"One.")
    process = newest_reading_process()
    process.kill()
    assert (await read(reader, tmp_path, "b.txt", b"Two.")).text == "Two."
    await reader.close()


async def test_readers_inherit_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_DSN", "postgres://secret")
    reader = Reader(Bounds(), Limits())
    await read(reader, tmp_path, "a.txt", b"One.")
    process = newest_reading_process()
    assert "POSTGRES_DSN" not in process.environ()
    await reader.close()
