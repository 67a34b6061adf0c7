"""Merging: neighbours become one passage, which says all that they say and nothing twice."""

from uuid import UUID, uuid4

import pytest

from libs.contracts.search import Passage
from services.retrieval import chunking
from services.retrieval.chunking import Bounds
from services.retrieval.merging import merged
from tests.services.retrieval.conftest import Library

BOOK, CONTEXT = uuid4(), uuid4()
TEXT = "The sea was calm.\n\nMaria set out before dawn. She took the red boat.\n\nNobody saw her leave the harbour."


def passage(position: int, text: str, *, document: UUID = BOOK, score: float = 0.5) -> Passage:
    return Passage(uuid4(), document, CONTEXT, "Book", position, text, score, {}, TEXT.index(text))


def test_neighbours_are_told_once_and_without_their_overlap() -> None:
    first, third = passage(0, TEXT[:46]), passage(2, "Nobody saw her leave the harbour.")
    second = passage(1, "Maria set out before dawn. She took the red boat.", score=0.9)
    [whole] = merged([second, third, first])
    assert whole.text == TEXT
    assert (whole.position, whole.start, whole.chunks) == (0, 0, 3)
    assert (whole.chunk_id, whole.score) == (second.chunk_id, 0.9)


def test_the_order_is_that_of_the_best_of_each() -> None:
    alone, other = passage(7, "Nobody"), passage(0, "The sea", document=uuid4())
    first, second = passage(0, "The sea"), passage(1, "was calm.")
    found = merged([second, alone, first, other])
    assert [each.chunk_id for each in found] == [second.chunk_id, alone.chunk_id, other.chunk_id]
    assert [each.chunks for each in found] == [2, 1, 1]


def test_chunks_with_one_between_them_stay_apart() -> None:
    found = [passage(0, "The sea"), passage(2, "Maria")]
    assert merged(found) == found


@pytest.mark.parametrize("overlap", [0, 5, 12])
def test_what_was_cut_is_whole_again(overlap: int) -> None:
    text = "\n\n".join(f"Sentence number {number} of the long tale says little." for number in range(60))
    spans = chunking.split(text, Bounds(40, overlap))
    cut = [
        Passage(uuid4(), BOOK, CONTEXT, "Book", place, text[span.start : span.end], 0.5, {}, span.start)
        for place, span in enumerate(spans)
    ]
    [whole] = merged(cut)
    assert "".join(whole.text.split()) == "".join(text.split())


@pytest.mark.asyncio
async def test_a_search_tells_neighbouring_chunks_as_one_passage(library: Library) -> None:
    text = "\n\n".join(
        f"The lighthouse of island {number} was built of granite and shows a red light." for number in range(60)
    )
    await library.indexed(await library.add(text, "Lighthouses"))
    found = await library.search("lighthouse of granite with a red light", limit=100)
    [whole] = found
    assert (whole.position, whole.start) == (0, 0)
    assert whole.chunks > 1
    assert whole.text == text
