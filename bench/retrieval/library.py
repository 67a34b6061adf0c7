"""A library to search: texts cut, embedded and kept as retrieval does it, in the embedded engine."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy
from msgspec import Struct

from services.retrieval import chunking
from services.retrieval.chunking import Bounds
from services.retrieval.embeddings.builtin import BuiltinEmbedder
from services.retrieval.fusion import CANDIDATES
from services.retrieval.vectors import Hit, Point, Question, Where
from services.retrieval.vectors.embedded import EmbeddedVectors

_HERE = UUID(int=0)
_BATCH = 512


class Chunk(Struct, frozen=True):
    """`text` is that of `document`, the number of a text, from `start` on."""

    document: int
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Library:
    def __init__(self, vectors: EmbeddedVectors, chunks: list[Chunk]) -> None:
        self.chunks = chunks
        self._vectors, self._embedder = vectors, BuiltinEmbedder()
        self._exact = numpy.empty((0, 0))

    async def fill(self) -> None:
        numbered = enumerate(self.chunks)
        every: list[bytes] = []
        while batch := list(islice(numbered, _BATCH)):
            embedded = await self._embedder.embed([chunk.text for _, chunk in batch])
            points = [_point(*each, vector) for each, vector in zip(batch, embedded, strict=True)]
            await self._vectors.upsert(await self._embedder.space(), points)
            every += embedded
        self._exact = _units(every)

    async def hits(self, text: str) -> list[Hit]:
        async def embed() -> bytes:
            [vector] = await self._embedder.embed([text])
            return vector

        here = Where(_HERE, [_HERE])
        return await self._vectors.search(await self._embedder.space(), here, Question(text, embed), limit=CANDIDATES)

    async def exact(self, text: str) -> list[int]:
        """The nearest by cosine over all vectors as they are, in numpy."""
        cosines = self._exact @ _units(await self._embedder.embed([text]))[0]
        return numpy.argsort(-cosines)[:CANDIDATES].tolist()


@asynccontextmanager
async def library(texts: list[str], bounds: Bounds) -> AsyncIterator[Library]:
    """Of texts that are `tidy` already."""
    with tempfile.TemporaryDirectory(prefix="polyvox-bench-") as folder:
        vectors = EmbeddedVectors(Path(folder))
        try:
            filled = Library(vectors, list(_cut(texts, bounds)))
            await filled.fill()
            yield filled
        finally:
            await vectors.close()


def _cut(texts: list[str], bounds: Bounds) -> Iterator[Chunk]:
    for document, text in enumerate(texts):
        for span in chunking.split(text, bounds):
            yield Chunk(document, span.start, text[span.start : span.end])


def _point(number: int, chunk: Chunk, vector: bytes) -> Point:
    return Point(number, _HERE, _HERE, UUID(int=chunk.document), chunk.text, vector)


def _units(vectors: list[bytes]) -> "numpy.ndarray":
    rows = numpy.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
