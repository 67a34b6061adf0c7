"""How good a ranking is: one answer a question, found at some place or not at all."""

from collections.abc import Iterable
from math import log2

from msgspec import Struct

_FIRST = 5
_DEPTH = 10


class Figures(Struct, frozen=True):
    """recall@5, MRR@10 and nDCG@10, each from 0 to 1."""

    recall: float
    mrr: float
    ndcg: float

    def __str__(self) -> str:
        return f"{self.recall:9.3f}{self.mrr:9.3f}{self.ndcg:9.3f}"


HEAD = f"{'recall@5':>9}{'MRR@10':>9}{'nDCG@10':>9}"


def figures(places: Iterable[int | None]) -> Figures:
    """`places` of the answers, from 0 on. With one answer the ideal gain is 1, so a place's own is its nDCG."""
    every = list(places)
    found = [place for place in every if place is not None and place < _DEPTH]
    return Figures(
        sum(place < _FIRST for place in found) / len(every),
        sum(1 / (place + 1) for place in found) / len(every),
        sum(1 / log2(place + 2) for place in found) / len(every),
    )
