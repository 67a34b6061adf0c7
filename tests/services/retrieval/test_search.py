"""Search: the best passages of the asked contexts, filtered by their documents' metadata."""

from typing import Any

import pytest

from libs.contracts import contexts, ids, search
from libs.contracts.faults import Code, Fault
from tests.services.retrieval.conftest import Library

pytestmark = pytest.mark.asyncio

BOATS = {
    "Maria": {"color": "red", "year": 2020, "tags": ["small", "wood"]},
    "Olga": {"color": "blue", "year": 2022, "tags": ["large"]},
    "Vera": {"color": "green", "year": 2024.5},
}


async def harbour(library: Library) -> Library:
    for name, metadata in BOATS.items():
        await library.indexed(await library.add(f"The boat {name} fishes for herring.", name, **metadata))
    return library


@pytest.mark.parametrize(
    ("filter", "names"),
    [
        ({}, {"Maria", "Olga", "Vera"}),
        ({"color": "red"}, {"Maria"}),
        ({"color": ["red", "green"]}, {"Maria", "Vera"}),
        ({"year": {"gte": 2022}}, {"Olga", "Vera"}),
        ({"year": {"gt": 2020, "lt": 2024}}, {"Olga"}),
        ({"color": ["red", "green"], "year": {"lte": 2020}}, {"Maria"}),
        ({"tags": "wood"}, {"Maria"}),
        ({"year": 2020}, {"Maria"}),
        ({"year": "2020"}, set()),
        ({"nothing": "of this name"}, set()),
    ],
)
async def test_a_filter_restricts_what_is_found(library: Library, filter, names: set[str]) -> None:
    found = await (await harbour(library)).search("Which boat fishes for herring?", **filter)
    assert {passage.name for passage in found} == names


async def test_the_best_comes_first_and_no_more_than_asked(library: Library) -> None:
    await harbour(library)
    found = await library.search("Does Olga fish?", limit=2)
    assert len(found) == 2
    assert found[0].name == "Olga"


async def test_passages_below_the_least_score_are_dropped(library: Library) -> None:
    await harbour(library)
    everything = await library.search("Does Olga fish?")
    least = sorted(passage.score for passage in everything)[1]
    assert len(await library.search("Does Olga fish?", min_score=least)) == 2
    assert await library.search("Does Olga fish?", min_score=0.999) == []


async def test_several_contexts_are_searched_together(bus, make) -> None:
    workspace = ids.new()
    libraries = [await make(workspace), await make(workspace)]
    for library, name in zip(libraries, ("Maria", "Olga"), strict=True):
        await library.indexed(await library.add(f"The boat {name} fishes for herring.", name))
    query = search.Query(workspace, [library.context.id for library in libraries], "herring")
    assert {passage.name for passage in await bus.call(search.QUERY, query)} == {"Maria", "Olga"}


async def test_a_context_that_is_not_there_is_named(bus, library: Library) -> None:
    await library.indexed(await library.add("The boat Maria fishes for herring."))
    missing = ids.new()
    with pytest.raises(Fault, match=str(missing)) as raised:
        await bus.call(search.QUERY, search.Query(library.place[0], [library.context.id, missing], "herring"))
    assert raised.value.code is Code.NOT_FOUND


async def test_another_workspace_finds_nothing_in_it(bus, library: Library, make) -> None:
    await library.indexed(await library.add("The boat Maria fishes for herring."))
    stranger = await make()
    for asked in ([library.context.id], [stranger.context.id, library.context.id]):
        with pytest.raises(Fault) as raised:
            await bus.call(search.QUERY, search.Query(stranger.place[0], asked, "herring"))
        assert raised.value.code is Code.NOT_FOUND
    assert await stranger.search("herring") == []


async def test_an_empty_context_answers_with_nothing(library: Library) -> None:
    assert await library.search("anything") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"text": " "}, "text"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"context_ids": []}, "context_ids"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(bus, library: Library, query, field: str) -> None:
    request = {"workspace_id": library.place[0], "context_ids": [library.context.id], "text": "herring", **query}
    with pytest.raises(Fault) as raised:
        await bus.call(search.QUERY, search.Query(**request))
    assert (raised.value.code, raised.value.field) == (Code.INVALID, field)


async def test_a_question_of_five_megabytes_is_answered(library: Library) -> None:
    await harbour(library)
    assert (await library.search("Something else entirely. " * 200_000 + "What does Olga fish for?"))[0].name == "Olga"


@pytest.mark.parametrize("text", ["\x00", "\x1b[0m", "'; DROP TABLE chunks; --", "語", "👩‍👩‍👧‍👦", "the of and", "?!"])
async def test_an_odd_question_is_answered(library: Library, text: str) -> None:
    await harbour(library)
    assert len(await library.search(text)) == 3


async def test_a_long_document_is_found_where_it_speaks_of_the_matter(library: Library) -> None:
    paragraphs = [f"Paragraph {n} tells of nothing but the weather of that day." for n in range(200)]
    paragraphs[120] = "The treasure lies under the third lighthouse."
    await library.indexed(await library.add("\n\n".join(paragraphs)))
    [best, *_] = await library.search("Where is the treasure?")
    assert "treasure" in best.text
    assert best.position > 0


async def test_revisions_of_unknown_contexts_are_left_out(bus, library: Library) -> None:
    found = await bus.call(contexts.REVISIONS, contexts.GetRevisions(library.place[0], [library.context.id, ids.new()]))
    assert list(found) == [library.context.id]


async def test_a_filter_takes_a_key_with_and_without_md_before_it(library: Library) -> None:
    plain = await library.indexed(await library.add("Boats leave at six.", lang="en", year=1874))
    marked = await library.indexed(await library.add("Boats leave at seven.", md_lang="en", md_year=1900))
    filters: list[dict[str, Any]] = [
        {"lang": "en"},
        {"md_lang": "en"},
        {"md_year": {"gte": 1800}},
        {"year": [1874, 1900]},
    ]
    for filter in filters:
        found = await library.search("boats", **filter)
        assert {passage.document_id for passage in found} == {plain.id, marked.id}, filter
    assert [passage.document_id for passage in await library.search("boats", md_year={"lt": 1900})] == [plain.id]


async def test_every_document_is_found_by_its_source(library: Library) -> None:
    named = await library.indexed(await library.add("Boats leave at six.", "timetable"))
    own = await library.indexed(await library.add("Boats leave at seven.", "timetable", source="the harbour"))
    for source, document in (("timetable", named), ("the harbour", own)):
        found = await library.search("boats", md_source=source)
        assert [passage.document_id for passage in found] == [document.id]
    assert named.metadata == {}
