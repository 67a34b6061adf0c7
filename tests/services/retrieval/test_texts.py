"""Files whose text alone is wanted."""

import pytest

from libs.contracts import files, ids
from libs.contracts.faults import Code, Fault
from tests.services.retrieval.readers.files import encrypted_pdf, pdf

pytestmark = pytest.mark.asyncio


async def test_a_file_is_read_and_goes_into_no_context(bus, library, rows) -> None:
    before = await rows.fetchval("SELECT count(*) FROM documents")
    text = await bus.call(files.READ, files.ReadFile(ids.new(), "a.pdf", pdf("The lamp is 31 m high.", "It burns.")))
    assert "The lamp is 31 m high." in text
    assert "It burns." in text
    assert await rows.fetchval("SELECT count(*) FROM documents") == before


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (encrypted_pdf("secret", "Hidden."), Code.INVALID, "password"),
        (pdf(""), Code.INVALID, "text"),
        (b"%PDF-1.4 and nothing more", Code.INVALID, ""),
    ],
)
async def test_what_can_not_be_read_says_why(bus, library, content, code, said) -> None:
    with pytest.raises(Fault) as raised:
        await bus.call(files.READ, files.ReadFile(ids.new(), "a.pdf", content), timeout=30)
    assert raised.value.code is code
    assert said in raised.value.message
