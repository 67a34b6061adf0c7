"""Fusion: meaning and words in one order."""

import pytest

from services.retrieval.fusion import fused
from services.retrieval.vectors import Hit


def hits(*scores: tuple[float, float]) -> list[Hit]:
    return [Hit(number, *each) for number, each in enumerate(scores)]


def order(found: list[Hit], words: float) -> list[int]:
    return [hit.number for hit in fused(found, words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (0.0, [0, 2, 1]),
        (1.0, [1, 2, 0]),
        (0.5, [2, 0, 1]),
    ],
)
def test_the_weight_says_which_side_counts(words: float, expected: list[int]) -> None:
    found = hits((0.9, 0.0), (0.1, 20.0), (0.8, 12.0))
    assert order(found, words) == expected


def test_the_range_in_which_a_model_s_cosines_lie_does_not_matter() -> None:
    wide = hits((0.1, 9.0), (0.5, 0.0), (0.9, 3.0))
    narrow = hits((0.81, 9.0), (0.85, 0.0), (0.89, 3.0))
    assert order(wide, 0.5) == order(narrow, 0.5)


def test_hits_that_are_all_alike_keep_their_places() -> None:
    assert order(hits((0.5, 0.0), (0.5, 0.0)), 0.6) == [0, 1]
    assert fused([]) == []
