"""Chunks hold the whole text, in order, each of a bounded number of tokens."""

import base64
import random

import pytest

from services.retrieval import wordllama
from services.retrieval.chunking import Bounds, split, tidy

BOUNDS = Bounds(chunk=100, overlap=10)
_random = random.Random(7)
PROSE = "\n\n".join(
    " ".join(f"Sentence {n} tells of boat {_random.randint(1, 999)} and its crew." for n in range(5))
    for _ in range(200)
)
DENSE = base64.b64encode(_random.randbytes(30_000)).decode()


def tokens(text: str) -> int:
    return len(wordllama.tokenizer().encode(text, add_special_tokens=False))


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        DENSE,
        PROSE[:20_000] + DENSE + PROSE[:20_000],
        "語" * 20_000,
        "word " * 20_000,
        "x" * 50_000,
        "👩‍👩‍👧‍👦" * 3_000,
    ],
)
def test_chunks_are_bounded_and_leave_nothing_out(text: str, markdown: bool) -> None:
    spans = split(text, BOUNDS, markdown=markdown)
    assert max(tokens(text[span.start : span.end]) for span in spans) <= BOUNDS.chunk * 1.25
    covered = 0
    for span in spans:
        assert not text[covered : span.start].strip()
        covered = max(covered, span.end)
    assert not text[covered:].strip()
    assert [span.start for span in spans] == sorted({span.start for span in spans})


def test_prose_is_cut_between_sentences() -> None:
    for span in split(PROSE, BOUNDS):
        assert PROSE[span.start : span.end].startswith("Sentence")
        assert PROSE[span.start : span.end].endswith("crew.")


def test_a_short_text_is_one_chunk() -> None:
    assert len(split("The lighthouse was built in 1874.", BOUNDS)) == 1


@pytest.mark.parametrize("text", ["", " ", "\n\n\n"])
def test_a_blank_text_has_no_chunks(text: str) -> None:
    assert split(text, BOUNDS) == []


def test_white_space_without_meaning_is_dropped() -> None:
    assert tidy("a\r\n\r\n \t\r\n\r\nb" + " " * 100 + "c\n") == "a\n\nb c"
    assert tidy("a\n    indented\n\nb") == "a\n    indented\n\nb"
