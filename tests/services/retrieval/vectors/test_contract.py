"""What any keeper of vectors promises, asked of each of them."""

import os
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from libs.contracts import search
from libs.contracts.faults import Code, Fault
from services.retrieval.fusion import fused
from services.retrieval.vectors import Point, Question, Space, Vectors, Where, number_of
from services.retrieval.vectors.embedded import EmbeddedVectors
from services.retrieval.vectors.opening import opened
from services.retrieval.vectors.server import ServerVectors

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant"),
]

WORKSPACE = uuid4()
SERVER = os.environ.get("TEST_QDRANT_URL")


@pytest_asyncio.fixture(
    params=[
        "embedded",
        "memory",
        pytest.param("server", marks=pytest.mark.skipif(not SERVER, reason="TEST_QDRANT_URL is not set")),
    ]
)
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Vectors]:
    kept: Vectors = {
        "embedded": lambda: EmbeddedVectors(tmp_path),
        "memory": lambda: ServerVectors(":memory:"),
        "server": lambda: opened(SERVER or ""),
    }[request.param]()
    yield kept
    await kept.close()


@pytest.fixture
def space() -> Space:
    return Space(f"test-{uuid4().hex[:8]}", 4)


def vector(*numbers: float) -> bytes:
    return array("f", numbers).tobytes()


def point(
    text: str, at: bytes, *, context: UUID, document: UUID | None = None, workspace: UUID = WORKSPACE, **metadata: Any
) -> Point:
    return Point(number_of(uuid4()), workspace, context, document or uuid4(), text, at, metadata)


def question_of(text: str, at: bytes) -> Question:
    async def embed() -> bytes:
        return at

    return Question(text, embed)


async def found(
    vectors: Vectors, space: Space, where: Where, text: str = "anything", at: bytes | None = None, limit: int = 10
) -> list[int]:
    """The best `limit` of both sides together."""
    question = question_of(text, at or vector(1, 0, 0, 0))
    return [hit.number for hit in fused(await vectors.search(space, where, question, limit=max(limit, 50)))][:limit]


async def test_a_space_is_new_once(vectors: Vectors, space: Space) -> None:
    assert await vectors.ensure(space)
    assert not await vectors.ensure(space)


async def test_nothing_is_found_where_nothing_is(vectors: Vectors, space: Space) -> None:
    assert await found(vectors, space, Where(WORKSPACE, [uuid4()])) == []
    assert await vectors.count(space, Where(WORKSPACE, [uuid4()])) == 0


async def test_a_score_is_the_cosine_of_question_and_chunk(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    near = point("near", vector(3, 4, 0, 0), context=context)
    await vectors.upsert(space, [near])
    [hit] = await vectors.search(space, Where(WORKSPACE, [context]), question_of("q", vector(2, 0, 0, 0)), limit=5)
    assert hit.number == near.number
    assert hit.score == pytest.approx(0.6, abs=0.005)


async def test_the_nearest_in_meaning_comes_first(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    points = [point("alpha", vector(1, step, 0, 0), context=context) for step in range(5)]
    await vectors.upsert(space, points)
    assert await found(vectors, space, Where(WORKSPACE, [context]), limit=3) == [each.number for each in points[:3]]


async def test_words_find_what_meaning_does_not(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    crowd = [point(f"filler number {step}", vector(1, step / 100, 0, 0), context=context) for step in range(100)]
    code = point("The printer shows error E4032.", vector(0, 0, 0, 1), context=context)
    await vectors.upsert(space, [*crowd, code])
    assert code.number in await found(vectors, space, Where(WORKSPACE, [context]), "What does E4032 mean?", limit=5)


async def test_words_are_found_in_scripts_without_spaces(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    crowd = [point(f"埋め草 {step}", vector(1, step / 100, 0, 0), context=context) for step in range(100)]
    tokyo = point("私は東京に住んでいます。", vector(0, 0, 0, 1), context=context)
    await vectors.upsert(space, [*crowd, tokyo])
    assert tokyo.number in await found(vectors, space, Where(WORKSPACE, [context]), "東京", limit=5)


async def test_a_chunk_written_twice_is_there_once(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    once = point("old", vector(0, 1, 0, 0), context=context)
    await vectors.upsert(space, [once])
    await vectors.upsert(space, [Point(once.number, WORKSPACE, context, once.document_id, "new", vector(1, 0, 0, 0))])
    assert await vectors.count(space, Where(WORKSPACE, [context])) == 1
    [hit] = await vectors.search(space, Where(WORKSPACE, [context]), question_of("q", vector(1, 0, 0, 0)), limit=5)
    assert hit.score == pytest.approx(1, abs=0.005)


async def test_contexts_and_workspaces_see_their_own_alone(vectors: Vectors, space: Space) -> None:
    mine, sibling, stranger = uuid4(), uuid4(), uuid4()
    points = [
        point("mine", vector(1, 0, 0, 0), context=mine),
        point("sibling", vector(1, 0, 0, 0), context=sibling),
        point("stranger", vector(1, 0, 0, 0), context=mine, workspace=stranger),
    ]
    await vectors.upsert(space, points)
    assert await found(vectors, space, Where(WORKSPACE, [mine])) == [points[0].number]
    assert set(await found(vectors, space, Where(WORKSPACE, [mine, sibling]))) == {points[0].number, points[1].number}
    assert await found(vectors, space, Where(stranger, [mine])) == [points[2].number]
    assert await found(vectors, space, Where(stranger, [sibling])) == []


async def test_a_filter_finds_in_each_of_the_contexts_and_in_no_other(vectors: Vectors, space: Space) -> None:
    one, other, third = uuid4(), uuid4(), uuid4()
    sizes = {one: 1, other: 2, third: 1}
    points = [point("a boat", vector(1, 0, 0, 0), context=each, color="red", size=size) for each, size in sizes.items()]
    await vectors.upsert(space, [*points, point("a boat", vector(1, 0, 0, 0), context=one, color="blue", size=1)])
    asked = Where(WORKSPACE, [one, other], search.conditions({"color": ["red", "green"]}))
    assert set(await found(vectors, space, asked)) == {points[0].number, points[1].number}
    narrower = Where(WORKSPACE, [one, other], search.conditions({"color": "red", "size": {"gt": 1}}))
    assert await found(vectors, space, narrower) == [points[1].number]
    stranger = Where(uuid4(), [one, other], search.conditions({"color": "red"}))
    assert await found(vectors, space, stranger) == []


LIBRARY: dict[str, dict[str, Any]] = {
    "red 2020": {"color": "red", "year": 2020, "draft": False},
    "blue 2022": {"color": "blue", "year": 2022.5, "draft": True},
    "green 2024": {"color": "green", "year": 2024, "labels": ["a", "b"]},
    "odd": {"year": "2024", 'weird.key "quoted"': "yes", "nested": {"color": "red"}, "none": None},
}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"color": "red"}, {"red 2020"}),
        ({"color": "purple"}, set()),
        ({"color": ["red", "green"]}, {"red 2020", "green 2024"}),
        ({"color": ["red", "green"], "year": {"gt": 2020}}, {"green 2024"}),
        ({"year": 2020}, {"red 2020"}),
        ({"year": 2020.0}, {"red 2020"}),
        ({"year": "2024"}, {"odd"}),
        ({"year": {"gte": 2020, "lt": 2024}}, {"red 2020", "blue 2022"}),
        ({"year": {"gt": 2020, "lte": 2024}}, {"blue 2022", "green 2024"}),
        ({"year": {"gt": 2024}}, set()),
        ({"draft": True}, {"blue 2022"}),
        ({"draft": 1}, set()),
        ({"labels": "b"}, {"green 2024"}),
        ({'weird.key "quoted"': "yes"}, {"odd"}),
        ({"nested": "red"}, set()),
    ],
)
async def test_metadata_filters(vectors: Vectors, space: Space, filter: dict[str, Any], expected: set[str]) -> None:
    context = uuid4()
    points = [point(name, vector(1, 0, 0, 0), context=context, **metadata) for name, metadata in LIBRARY.items()]
    await vectors.upsert(space, points)
    names = {each.number: each.text for each in points}
    where = Where(WORKSPACE, [context], search.conditions(filter))
    assert {names[id] for id in await found(vectors, space, where, "red blue green odd")} == expected
    assert await vectors.count(space, where) == len(expected)


async def test_a_document_and_a_context_are_forgotten_in_every_space(vectors: Vectors, space: Space) -> None:
    context, sibling, document = uuid4(), uuid4(), uuid4()
    other = Space(f"{space.name}-b", 4)
    for each in (space, other):
        await vectors.upsert(
            each,
            [
                point("gone", vector(1, 0, 0, 0), context=context, document=document),
                point("stays a while", vector(1, 0, 0, 0), context=context),
                point("stays", vector(1, 0, 0, 0), context=sibling),
            ],
        )
    await vectors.forget(WORKSPACE, context, [document, uuid4()])
    assert [await vectors.count(each, Where(WORKSPACE, [context])) for each in (space, other)] == [1, 1]
    await vectors.forget(WORKSPACE, context)
    assert [await vectors.count(each, Where(WORKSPACE, [context])) for each in (space, other)] == [0, 0]
    assert await vectors.count(space, Where(WORKSPACE, [sibling])) == 1


async def test_batches_of_any_size_are_taken(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    points = [point(f"number {step}", vector(1, step, 0, 0), context=context) for step in range(700)]
    await vectors.upsert(space, points)
    await vectors.upsert(space, [])
    assert await vectors.count(space, Where(WORKSPACE, [context])) == 700


async def test_a_question_that_says_nothing_is_answered(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    await vectors.upsert(space, [point("something", vector(1, 0, 0, 0), context=context)])
    [hit] = await vectors.search(space, Where(WORKSPACE, [context]), question_of("", vector(0, 0, 0, 0)), limit=5)
    assert hit.score == pytest.approx(0, abs=0.005)
    assert hit.words == 0


async def test_each_side_names_its_best_with_both_scores(vectors: Vectors, space: Space) -> None:
    context = uuid4()
    near = point("nothing of the kind", vector(1, 0.1, 0, 0), context=context)
    worded = point("The lighthouse keeper", vector(0.6, 0, 0, 0.8), context=context)
    neither = point("something else", vector(0, 0, 1, 0), context=context)
    await vectors.upsert(space, [near, worded, neither])
    question = question_of("a lighthouse", vector(1, 0, 0, 0))
    hits = {hit.number: hit for hit in await vectors.search(space, Where(WORKSPACE, [context]), question, limit=1)}
    assert hits.keys() == {near.number, worded.number}
    assert (hits[near.number].words, hits[worded.number].words > 0) == (0, True)
    assert hits[worded.number].score == pytest.approx(0.6, abs=0.005)


async def test_a_server_that_is_away_is_unavailable() -> None:
    vectors = opened("http://127.0.0.1:9")
    with pytest.raises(Fault) as raised:
        await vectors.ensure(Space("away", 4))
    assert raised.value.code is Code.UNAVAILABLE
    await vectors.close()


@pytest.mark.parametrize("url", ["", "/folder", "embedded://folder", "ftp://qdrant", "http://"])
async def test_a_place_for_vectors_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected embedded:///folder"):
        opened(url)
