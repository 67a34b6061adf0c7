"""Documents: from text, uploads and URLs into what a search finds; bad ones end as failed, with a reason."""

import asyncio
from uuid import uuid4

import pytest
from aiohttp import web

from libs.bus.hear import Heard, Hearing, Reaction
from libs.contracts import contexts, documents, files, ids
from libs.contracts.documents import Status
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from tests.services.retrieval.conftest import Library, deleting, until
from tests.services.retrieval.readers import files as made
from tests.support.waiting import held_up
from tests.support.web import site

pytestmark = pytest.mark.asyncio


async def test_a_text_is_indexed_and_found(library: Library) -> None:
    text = "The lighthouse was built in 1874 by fishermen.\n"
    document = await library.add(text, "History", year=1874)
    assert (document.status, document.name, document.size) == (Status.PENDING, "History", len(text))
    indexed = await library.indexed(document)
    assert (indexed.chunks_done, indexed.chunks_total, indexed.error) == (1, 1, None)
    assert indexed.text == text
    [passage] = await library.search("When was the lighthouse built?")
    assert passage.text == text.strip()
    assert (passage.document_id, passage.context_id) == (document.id, library.context.id)
    assert (passage.name, passage.position, passage.metadata) == ("History", 0, {"year": 1874})
    assert 0.3 < passage.score <= 1


async def test_a_text_without_a_name_is_called_by_its_first_words(library: Library) -> None:
    document = await library.add("The lighthouse  was built\nin 1874. " + "More words. " * 50)
    assert document.name.startswith("The lighthouse was built in 1874.")
    assert len(document.name) <= 80


@pytest.mark.parametrize(
    ("name", "content", "question"),
    [
        ("a.pdf", made.pdf("The lighthouse was built in 1874."), "lighthouse 1874"),
        ("a.docx", made.docx(), "lighthouse 1874"),
        ("a.html", made.HTML, "boats in the morning"),
        ("a.md", b"# Boats\n\nMaria is *twelve* metres long.", "Maria"),
        ("a.csv", made.CSV, "boat Olga"),
        ("a.txt", "Zürich hat einen See.".encode("latin-1"), "Zürich"),
    ],
    ids=["pdf", "docx", "html", "markdown", "csv", "latin-1"],
)
async def test_an_uploaded_file_is_indexed_and_found(
    library: Library, name: str, content: bytes, question: str
) -> None:
    document = await library.indexed(await library.add_file(name, content))
    assert (document.name, document.size) == (name, len(content))
    assert document.text
    assert (await library.search(question))[0].document_id == document.id


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", made.encrypted_pdf("secret", "hidden"), "password"),
        ("a.pdf", made.pdf("x")[:150], "damaged"),
        ("a.txt", b"", "empty"),
        ("a.txt", b"\x89PNG" + bytes(1000), "PNG image"),
        ("a.docx", made.docx_with(b"<a/>", size=300_000_000), "unpacks to far more"),
        ("a.html", b"<html>" + b"<div>" * 100_000 + b"x", "nested too deeply"),
    ],
    ids=["encrypted", "damaged", "empty", "of another kind", "a bomb", "too deep"],
)
async def test_a_bad_file_fails_with_a_reason(library: Library, name: str, content: bytes, reason: str) -> None:
    document = await library.add_file(name, content)
    assert reason in await library.failed(document)
    assert (await library.look()).chunks == 0


async def test_a_long_line_is_indexed(library: Library) -> None:
    document = await library.indexed(await library.add("A word and another one. " * 80_000))
    assert document.chunks_done == document.chunks_total > 1_000
    assert sum(passage.chunks for passage in await library.search("word", limit=100)) == 100


async def test_a_file_behind_a_url_is_indexed(library: Library) -> None:
    async def page(request: web.Request) -> web.Response:
        if request.path == "/old":
            raise web.HTTPFound("/dir/page%20one")
        return web.Response(text="<p>Boats leave at six.</p>", content_type="text/html")

    async with site(page) as url:
        [document] = await library.add_urls(f"{url}/old", source="web")
        indexed = await library.indexed(document)
    assert (indexed.name, indexed.url, indexed.text) == ("old", f"{url}/old", "Boats leave at six.")
    assert (await library.search("boats", source="web"))[0].document_id == document.id


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "ftp://example.com/a.txt",
        "file:///etc/passwd",
        "nonsense",
    ],
)
async def test_a_url_that_may_not_be_fetched_is_refused_at_once(library: Library, url: str) -> None:
    with pytest.raises(Fault) as raised:
        await library.add_urls("https://example.com/a.txt", url)
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "urls[1]")
    assert (await library.look()).documents == 0


async def test_a_url_that_leads_to_a_private_address_fails(library: Library) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://10.1.2.3/secret")

    async with site(elsewhere) as url:
        [document] = await library.add_urls(f"{url}/a.txt")
        assert "no public address" in await library.failed(document)


async def test_a_url_that_is_not_there_fails(library: Library) -> None:
    async def nothing(request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    async with site(nothing) as url:
        [document] = await library.add_urls(f"{url}/a.txt")
        assert "answered 404" in await library.failed(document)


async def test_a_url_that_does_not_answer_yet_is_tried_again(library: Library) -> None:
    answers = [503, 200]

    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), text="Boats leave at six.")

    async with site(busy) as url:
        [document] = await library.add_urls(f"{url}/a.txt")
        await library.indexed(document)
    assert answers == []


async def test_a_file_that_is_too_large_fails(library: Library) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1_000_000))

    async with site(endless) as url:
        [document] = await library.add_urls(f"{url}/a.txt")
        assert "too large" in await library.failed(document)


async def test_an_upload_must_be_finished_and_be_ones_own(bus, library: Library, make) -> None:
    upload = await bus.call(files.BEGIN, files.BeginUpload(library.context.workspace_id, "a.txt"))
    foreign = await (await make()).upload("a.txt", b"Not yours.")
    for url in (f"blob:{upload.id}", foreign, f"blob:{uuid4()}", "blob:nonsense"):
        with pytest.raises(Fault) as raised:
            await library.add_urls(url)
        assert (raised.value.code, raised.value.field) == (Code.INVALID, "urls[0]")


async def test_one_upload_may_become_two_documents(library: Library, rows, blobs) -> None:
    url = await library.upload("a.txt", b"Boats leave at six.")
    one, two = await library.add_urls(url, url)
    await library.indexed(one)
    await library.indexed(two)
    blob = await rows.fetchval("SELECT blob FROM documents WHERE id = $1", one.id)
    await library.delete(one)

    async def done() -> bool:
        return await rows.fetchval(
            "SELECT bool_and(passes = 1) FROM removals WHERE context_id = $1", library.context.id
        )

    await until(done, bool)
    assert await blobs.get(blob) == b"Boats leave at six."
    await library.delete(two)
    await until(done, bool)
    with pytest.raises(Fault):
        await blobs.get(blob)


async def test_what_is_deleted_is_gone_at_once(library: Library) -> None:
    kept = await library.indexed(await library.add("Boats leave at six."))
    gone = await library.indexed(await library.add("Boats leave at seven."))
    assert (await library.delete(gone)).id == gone.id
    assert [passage.document_id for passage in await library.search("boats")] == [kept.id]
    for act in (library.get, library.delete):
        with pytest.raises(Fault) as raised:
            await act(gone)
        assert raised.value.code is Code.NOT_FOUND


async def test_a_document_deleted_while_it_is_indexed_leaves_nothing(library: Library, rows) -> None:
    document = await library.add("A word and another one. " * 100_000)
    await until(lambda: library.get(document), lambda found: found.chunks_done)
    await library.delete(document)
    assert await library.search("word") == []
    assert await rows.fetchval("SELECT count(*) FROM chunks WHERE document_id = $1", document.id) == 0
    counted = await library.look()
    assert (counted.documents, counted.chunks) == (0, 0)


@pytest.mark.parametrize("asked", ["change", "reindex"])
async def test_a_context_is_deleted_in_the_midst_of_a_change(bus, library: Library, rows, asked: str) -> None:
    document = await library.indexed(await library.add("Boats leave at six."))
    change = (documents.UPDATE, documents.UpdateDocument(*library.place, document.id, text="At seven."))
    reindex = (contexts.REINDEX, contexts.GetContext(*library.place))
    async with deleting(rows, document) as connection:
        asking = asyncio.create_task(bus.call(*(change if asked == "change" else reindex)))
        await until(lambda: held_up(connection), bool)
        await connection.execute("DELETE FROM documents WHERE id = $1", document.id)
        await connection.execute("DELETE FROM contexts WHERE id = $1", library.context.id)
    with pytest.raises(Fault) as raised:
        await asking
    assert (raised.value.code, str(library.context.id) in raised.value.message) == (Code.NOT_FOUND, True)


async def test_progress_is_seen_while_a_document_is_indexed(library: Library) -> None:
    document = await library.add("A word and another one. " * 100_000)
    seen = await until(lambda: library.get(document), lambda found: 0 < found.chunks_done < found.chunks_total)
    assert seen.status is Status.INDEXING
    await library.indexed(document)


async def test_a_document_is_found_without_its_context_by_its_own_workspace(bus, library: Library) -> None:
    document = await library.indexed(await library.add("Boats leave at six."))
    asked = documents.FindDocument(library.context.workspace_id, document.id)
    assert await bus.call(documents.FIND, asked) == document
    for foreign in (
        documents.FindDocument(ids.new(), document.id),
        documents.FindDocument(asked.workspace_id, ids.new()),
    ):
        with pytest.raises(Fault) as raised:
            await bus.call(documents.FIND, foreign)
        assert raised.value.code is Code.NOT_FOUND


async def test_one_file_may_be_given_a_name(bus, library: Library) -> None:
    wanted = documents.AddFiles(*library.place, ["https://a.example/x.txt"], name="Timetable")
    assert [document.name for document in await bus.call(documents.ADD_FILES, wanted)] == ["Timetable"]


async def test_documents_come_in_pages_without_their_text(bus, library: Library) -> None:
    added = [(await library.add(f"Text number {n}.")).id for n in range(5)]
    page = await bus.call(documents.PAGE, documents.PageDocuments(*library.place, Slice(1, 2)))
    assert ([document.id for document in page.items], page.total) == (added[1:3], 5)
    assert page.items[0].text is None


async def test_another_workspace_sees_and_changes_nothing(bus, library: Library) -> None:
    document = await library.indexed(await library.add("Boats leave at six."))
    stranger = ids.new()
    place = (stranger, library.context.id)
    for rpc, request in (
        (documents.GET, documents.GetDocument(*place, document.id)),
        (documents.DELETE, documents.GetDocument(*place, document.id)),
        (documents.DELETE_ALL, documents.DeleteDocuments(*place)),
        (documents.PAGE, documents.PageDocuments(*place)),
        (documents.ADD_TEXT, documents.AddText(*place, "Mine.")),
        (documents.ADD_FILES, documents.AddFiles(*place, ["https://example.com/"])),
    ):
        with pytest.raises(Fault) as raised:
            await bus.call(rpc, request)
        assert raised.value.code is Code.NOT_FOUND, rpc
    assert (await library.get(document)).status is Status.INDEXED


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_text_is_refused(library: Library, text: str) -> None:
    with pytest.raises(Fault) as raised:
        await library.add(text)
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "text")


async def test_text_that_postgres_would_refuse_is_kept(library: Library) -> None:
    document = await library.indexed(await library.add("A NUL \x00 inside.", note="\x00"))
    assert (document.text, document.metadata) == ("A NUL � inside.", {"note": "�"})


async def test_metadata_has_a_size(library: Library) -> None:
    with pytest.raises(Fault) as raised:
        await library.add("Text.", note="x" * 100_000)
    assert (raised.value.code, raised.value.field) == (Code.TOO_LARGE, "metadata")


async def test_how_it_ended_is_told_once(bus, library: Library, databases) -> None:
    heard: list[documents.DocumentIndexed | documents.DocumentFailed] = []

    async def hear(_, batch: list[Heard]) -> None:
        heard.extend(each.fact for each in batch)

    ears = await Database.connect(databases.dsn("webhook_dispatcher"), schema="webhook_dispatcher", pool_size=2)
    await migrate(ears)
    reactions = [Reaction(documents.INDEXED, hear), Reaction(documents.FAILED, hear)]
    hearing = Hearing(bus, ears, service="webhook_dispatcher", reactions=reactions)
    listening = asyncio.ensure_future(hearing.run())
    good, bad = await library.add("Boats leave at six.", "good"), await library.add_file("bad.txt", b"")
    await library.indexed(good)
    reason = await library.failed(bad)

    async def ours() -> list[object]:
        return [fact for fact in heard if fact.context_id == library.context.id]

    facts = await until(ours, lambda found: len(found) == 2)
    await hearing.stop()
    listening.cancel()
    await asyncio.wait([listening])
    await ears.close()
    assert documents.DocumentIndexed(*library.place, good.id, "good", 1) in facts
    assert documents.DocumentFailed(*library.place, bad.id, "bad.txt", reason) in facts
