"""Texts of a caller's own as vectors."""

from array import array
from math import isclose

import pytest

from libs.contracts import embeddings, ids

pytestmark = pytest.mark.asyncio


def product(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(array("f", one), array("f", other), strict=True))


async def embedded(bus, *texts: str) -> embeddings.Embedded:
    return await bus.call(embeddings.EMBED, embeddings.EmbedTexts(ids.new(), list(texts)))


async def test_what_means_the_same_is_near_and_every_vector_has_the_length_one(retrieval, bus):
    found = await embedded(bus, "A lighthouse by the sea", "A beacon on the coast", "Quarterly tax returns")
    ship, beacon, tax = found.vectors
    assert isclose(product(ship, ship), 1, abs_tol=1e-5)
    assert product(ship, beacon) > product(ship, tax)
    assert (found.model, len(ship), found.tokens > 10) == ("wordllama-l2-256", 4 * 256, True)


async def test_the_model_says_its_name_and_a_thousand_texts_come_in_their_order(retrieval, bus):
    assert await embedded(bus) == embeddings.Embedded("wordllama-l2-256")
    texts = [f"text number {n}" for n in range(1000)]
    many, [last] = (await embedded(bus, *texts)).vectors, (await embedded(bus, texts[-1])).vectors
    assert (len(many), many[-1]) == (1000, last)
    assert (await embedded(bus, "")).vectors == [bytes(4 * 256)]
