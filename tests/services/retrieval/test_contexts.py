"""Contexts: made, listed, changed, deleted; each workspace sees its own."""

import pytest

from libs.contracts import contexts, documents, ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from tests.services.retrieval.conftest import Library, until

pytestmark = pytest.mark.asyncio


async def test_a_context_is_kept_as_it_was_made(bus, retrieval) -> None:
    workspace, person = ids.new(), ids.new()
    request = contexts.CreateContext(workspace, "Manuals", "All of them", "Files", {"team": ["a", 1]}, person)
    made = await bus.call(contexts.CREATE, request)
    assert (made.name, made.description, made.type) == ("Manuals", "All of them", "Files")
    assert (made.metadata, made.created_by, made.documents, made.chunks) == ({"team": ["a", 1]}, person, 0, 0)
    assert await bus.call(contexts.GET, contexts.GetContext(workspace, made.id)) == made


async def test_a_change_leaves_the_rest(bus, library: Library) -> None:
    changed = await bus.call(contexts.UPDATE, contexts.UpdateContext(*library.place, description="New"))
    assert (changed.name, changed.description) == ("Library", "New")


async def test_text_that_postgres_would_refuse_is_kept(bus, retrieval) -> None:
    made = await bus.call(contexts.CREATE, contexts.CreateContext(ids.new(), "A\x00B", metadata={"a": "\x00"}))
    assert (made.name, made.metadata) == ("A�B", {"a": "�"})


async def test_contexts_come_in_pages(bus, make) -> None:
    workspace = ids.new()
    made = [(await make(workspace, f"Context {n}")).context.id for n in range(5)]
    page = await bus.call(contexts.PAGE, contexts.PageContexts(workspace, Slice(1, 2)))
    assert ([context.id for context in page.items], page.total) == (made[1:3], 5)


@pytest.mark.parametrize("rpc", [contexts.GET, contexts.DELETE, contexts.REINDEX, contexts.STATUSES])
async def test_another_workspaces_context_is_not_there(bus, library: Library, rpc) -> None:
    with pytest.raises(Fault) as raised:
        await bus.call(rpc, contexts.GetContext(ids.new(), library.context.id))
    assert raised.value.code is Code.NOT_FOUND
    with pytest.raises(Fault, match="There is no context"):
        await bus.call(contexts.UPDATE, contexts.UpdateContext(ids.new(), library.context.id, name="Mine"))
    assert await bus.call(contexts.REVISIONS, contexts.GetRevisions(ids.new(), [library.context.id])) == {}
    assert (await library.look()).name == "Library"


async def test_a_context_tells_how_far_its_documents_are(bus, library: Library) -> None:
    asked = contexts.GetContext(*library.place)
    assert await bus.call(contexts.STATUSES, asked) == []
    for text in ("The lighthouse was built in 1874.", "Boats leave at six."):
        await library.indexed(await library.add(text))
    assert await bus.call(contexts.STATUSES, asked) == [documents.Status.INDEXED]


async def test_a_context_needs_a_name(bus, library: Library) -> None:
    with pytest.raises(Fault) as raised:
        await bus.call(contexts.CREATE, contexts.CreateContext(ids.new(), " "))
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "name")


async def test_a_deleted_context_takes_rows_vectors_and_blobs_with_it(bus, library: Library, rows, blobs) -> None:
    await library.indexed(await library.add("The lighthouse was built in 1874."))
    document = await library.indexed(await library.add_file("a.txt", b"Boats leave at six."))
    blob = await rows.fetchval("SELECT blob FROM documents WHERE id = $1", document.id)
    assert await bus.call(contexts.DELETE, contexts.GetContext(*library.place))
    with pytest.raises(Fault, match="There is no context"):
        await library.search("lighthouse")
    assert await rows.fetchval("SELECT count(*) FROM chunks WHERE document_id = $1", document.id) == 0

    async def done() -> bool:
        return await rows.fetchval("SELECT passes = 1 FROM removals WHERE context_id = $1", library.context.id)

    await until(done, bool)
    with pytest.raises(Fault) as raised:
        await blobs.get(blob)
    assert raised.value.code is Code.NOT_FOUND


async def test_every_change_to_what_can_be_found_grows_the_revision(bus, library: Library) -> None:
    async def revision() -> int:
        found = await bus.call(contexts.REVISIONS, contexts.GetRevisions(*library.place[:1], [library.context.id]))
        return found[library.context.id]

    first = await revision()
    document = await library.indexed(await library.add("The lighthouse was built in 1874."))
    second = await revision()
    await library.delete(document)
    third = await revision()
    await bus.call(contexts.UPDATE, contexts.UpdateContext(*library.place, name="Another"))
    assert first < second < third == await revision()


async def test_documents_and_chunks_are_counted(bus, library: Library) -> None:
    one = await library.indexed(await library.add("One. " * 1000))
    two = await library.indexed(await library.add("Two."))
    counted = await library.look()
    assert (counted.documents, counted.chunks) == (2, one.chunks_total + two.chunks_total)
    await library.delete(one)
    counted = await library.look()
    assert (counted.documents, counted.chunks) == (1, 1)
    assert await bus.call(documents.DELETE_ALL, documents.DeleteDocuments(*library.place)) == 1
    counted = await library.look()
    assert (counted.documents, counted.chunks) == (0, 0)


async def test_reindexing_makes_vectors_anew_from_chunks(bus, library: Library, make, rows) -> None:
    texts = [f"Boat number {n} is called {name}." for n, name in enumerate(("Maria", "Olga", "Vera"))]
    added = [await library.indexed(await library.add(text)) for text in texts]
    await lose_vectors(library, make, rows)
    assert await library.search("Olga") == []
    again = await bus.call(contexts.REINDEX, contexts.GetContext(*library.place))
    assert again.chunks == 3
    for document in added:
        await library.indexed(document)
    assert (await library.search("Olga"))[0].text == texts[1]
    assert (await library.look()).chunks == 3


async def lose_vectors(library: Library, make, rows) -> None:
    """As a lost disk would: the rows stay."""
    await rows.execute("INSERT INTO removals (workspace_id, context_id, blobs) VALUES ($1, $2, '{}')", *library.place)
    other = await make()
    await other.delete(await other.add("Its deletion wakes who deletes vectors."))

    async def done() -> bool:
        return await rows.fetchval("SELECT passes = 1 FROM removals WHERE context_id = $1", library.context.id)

    await until(done, bool)
