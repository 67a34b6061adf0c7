"""Text that Postgres and UTF-8 would refuse."""

import pytest

from libs.postgres.text import clean


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("plain", "plain"),
        ("naïve 😀", "naïve 😀"),
        ("a\x00b", "a�b"),
        ("half \ud83d of it", "half � of it"),
        (["\x00", {"k\udfff": ["\ud800é", 1, None]}], ["�", {"k�": ["�é", 1, None]}]),
        (7, 7),
        (None, None),
    ],
)
def test_every_string_becomes_storable(given, stored):
    assert clean(given) == stored
