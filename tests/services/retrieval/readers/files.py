"""Files of every kind, good and hostile, made where they are needed."""

import io
import zipfile
from collections.abc import Callable

from docx import Document
from pypdf import PdfReader, PdfWriter


def pdf(*pages: str) -> bytes:
    """A PDF with one line of text a page, written by hand."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    return _numbered(objects)


def _numbered(objects: list[str]) -> bytes:
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def encrypted_pdf(password: str, *pages: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    return _written(writer.write)


def docx() -> bytes:
    document = Document()
    document.add_heading("The lighthouse", level=1)
    document.add_paragraph("It was built in 1874 by fishermen.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["Part", "Height", "Lamp", "31 m"], strict=True
    ):
        cell.text = text
    document.add_paragraph("Nobody lives there today.")
    return _written(document.save)


def docx_with(part: bytes, *, size: int = 0) -> bytes:
    """A DOCX whose main part is replaced, and padded with zeros that compress to nothing."""
    source = zipfile.ZipFile(io.BytesIO(docx()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            if name == "word/document.xml":
                with archive.open(name, "w", force_zip64=True) as file:
                    file.write(part)
                    for _ in range(size // 1_000_000):
                        file.write(b" " * 1_000_000)
            else:
                archive.writestr(name, source.read(name))
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


HTML = b"""<!DOCTYPE html><html><head><title>Harbour</title><style>p {color: red}</style>
<script>alert("no")</script></head>
<body><nav>Home | About</nav><h1>The harbour</h1><p>Boats leave at <b>six</b> in the morning.</p>after
<ul><li>nets</li><li>ropes</li></ul>
<table><tr><th>Boat</th><th>Length</th></tr><tr><td>Maria</td><td>12 m</td></tr></table>
<pre>  keep
    this</pre><div hidden>unseen</div></body></html>"""

CSV = b"boat,length,crew\nMaria,12,3\nOlga,9,\n"
BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;">]>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&lol2;</w:t></w:r></w:p>
</w:body></w:document>"""
