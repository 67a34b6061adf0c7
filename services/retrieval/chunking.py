"""Chunking: a text as passages of a bounded number of tokens, cut between paragraphs and sentences where it can be.

A chunk is a span of the text, so that neighbours can be joined again without their overlap. The rule: time grows with
the length of a text and with nothing in it.
"""

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from services.retrieval import wordllama

if TYPE_CHECKING:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

# The splitter is several times slower on long stretches without a boundary: it never sees more than this at once.
_STRETCH = 8_000
_SAMPLE = 4_000
# The splitter counts characters, which is a hundred times faster than tokens; a chunk denser than its text on average
# may exceed the bound by this much before it is split again by tokens.
_TOLERANCE = 1.25


class Bounds(Struct, frozen=True):
    """In tokens."""

    chunk: int = 300
    overlap: int = 30


class Span(Struct, frozen=True, array_like=True):
    """Character positions in the text, `end` excluded."""

    start: int
    end: int


# White space that says nothing and costs the splitter much: blank lines beyond one, and long runs of spaces.
_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[^\S\n]+\n")
_SPACES = re.compile(r"[^\S\n]{20,}")


def tidy(text: str) -> str:
    """The text as it is to be split, with one kind of line end and no white space beyond what structure needs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", _LINE_ENDS.sub("\n", _SPACES.sub(" ", text))).strip()


def split(text: str, bounds: Bounds, *, markdown: bool = False) -> list[Span]:
    """The text's chunks in order, without surrounding white space; none where it is blank."""
    per_token = _characters_per_token(text)
    characters = int(bounds.chunk * per_token)
    splitter = _splitter(markdown, characters, int(bounds.overlap * per_token))
    stretch = min(_STRETCH, max(_STRETCH // 10, 10 * characters))
    spans: list[Span] = []
    start = 0
    while start < len(text):
        end = min(start + stretch, len(text))
        found = [(start + offset, chunk) for offset, chunk in splitter.chunk_indices(text[start:end])]
        start = end
        if end < len(text) and len(found) > 1:
            # Where the stretch was cut is no boundary: its last chunk begins the next one.
            start, _ = found.pop()
        spans += _bounded(found, bounds)
    return spans


def _characters_per_token(text: str) -> float:
    middle = len(text) // 2
    samples = [text[:_SAMPLE], text[middle : middle + _SAMPLE]]
    return sum(map(len, samples)) / max(1, sum(_counts(samples)))


def _bounded(found: list[tuple[int, str]], bounds: Bounds) -> list[Span]:
    spans: list[Span] = []
    for (start, chunk), tokens in zip(found, _counts([chunk for _, chunk in found]), strict=True):
        if tokens <= bounds.chunk * _TOLERANCE:
            spans.append(Span(start, start + len(chunk)))
        else:
            finer = _splitter(False, len(chunk) * bounds.chunk // tokens, 0).chunk_indices(chunk)
            spans += _bounded([(start + offset, part) for offset, part in finer], bounds)
    return spans


def _counts(texts: list[str]) -> list[int]:
    return [len(encoding) for encoding in wordllama.tokenizer().encode_batch_fast(texts, add_special_tokens=False)]


def _splitter(markdown: bool, characters: int, overlap: int) -> "TextSplitter | MarkdownSplitter":
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    capacity = max(1, characters)
    return (MarkdownSplitter if markdown else TextSplitter)(capacity, overlap=min(overlap, capacity - 1))
