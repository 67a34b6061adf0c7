"""Lists: whole where no part is asked for, however long; a part where one is."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from libs.contracts import contexts, documents, ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page
from tests.dialects.klu import examples
from tests.dialects.klu.examples import CONTEXT

pytestmark = pytest.mark.asyncio

MANY = 2300
IDS = [ids.new() for _ in range(MANY)]


def pages(asked) -> list[UUID]:
    return IDS[asked.slice.offset : asked.slice.offset + asked.slice.limit]


async def holding(door) -> None:
    """A context with many documents, in a workspace with as many contexts."""
    await door.peers.answer(
        documents.PAGE, lambda asked: Page([replace(examples.document, id=id) for id in pages(asked)], MANY)
    )
    await door.peers.answer(
        contexts.PAGE, lambda asked: Page([replace(examples.context, id=id) for id in pages(asked)], MANY)
    )
    door.peers.asked.clear()


async def test_a_client_that_asks_for_no_part_gets_the_whole_list(door):
    await holding(door)
    answer = await door.call("GET", f"/v1/context/{CONTEXT}/documents")
    assert [document["guid"] for document in answer.json["data"]] == [str(id) for id in IDS]
    assert (answer.json["total_count"], answer.json["has_next_page"]) == (MANY, False)
    assert [asked.slice.offset for asked in door.peers.asked] == [0, 1000, 2000]


async def test_a_bare_list_is_whole_as_well(door):
    await holding(door)
    answer = await door.call("GET", "/v1/context/")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert [context["guid"] for context in answer.json] == [str(id) for id in IDS]


@pytest.mark.parametrize(("query", "first", "count"), [("?limit=2", 0, 2), ("?skip=2000", 2000, 300)])
async def test_a_part_is_the_part_that_was_asked_for(door, query, first, count):
    await holding(door)
    answer = await door.call("GET", f"/v1/context/{query}")
    assert [context["guid"] for context in answer.json] == [str(id) for id in IDS[first : first + count]]


async def test_a_list_that_breaks_off_is_no_list(door):
    """Its status has been told by then: nobody may take a half for the whole."""

    def half(asked: documents.PageDocuments) -> Page[documents.Document]:
        if asked.slice.offset:
            raise Fault(Code.UNAVAILABLE, "The database went away.")
        return Page([replace(examples.document, id=ids.new()) for _ in range(1000)], MANY)

    await door.peers.answer(documents.PAGE, half)
    with pytest.raises(ValueError):
        _ = (await door.call("GET", f"/v1/context/{CONTEXT}/documents")).json
