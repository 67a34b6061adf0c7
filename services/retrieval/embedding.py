"""Texts of a caller's own as vectors: what `rpc.retrieval.embeddings.embed` answers."""

import asyncio

from libs.contracts.embeddings import Embedded, EmbedTexts
from services.retrieval import wordllama
from services.retrieval.embeddings import Embedder

# The workspace whose texts these are waits for them, but not for ever.
_SECONDS = 50.0


class Embedding:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def embed(self, asked: EmbedTexts) -> Embedded:
        """Raises Fault UPSTREAM and TIMEOUT as the model does."""
        if not asked.texts:
            return Embedded(self._embedder.name)
        vectors = await self._embedder.embed(asked.texts, deadline=_SECONDS)
        return await asyncio.to_thread(_embedded, self._embedder.name, asked.texts, vectors)


def _embedded(name: str, texts: list[str], vectors: list[bytes]) -> Embedded:
    tokens = wordllama.tokenizer().encode_batch_fast(texts, add_special_tokens=False)
    return Embedded(name, [_unit(vector) for vector in vectors], sum(len(each.ids) for each in tokens))


def _unit(vector: bytes) -> bytes:
    """The vector with the length 1; the one of nothing has none."""
    import numpy

    numbers = numpy.frombuffer(vector, "<f4")
    length = float(numpy.linalg.norm(numbers))
    return (numbers / length).astype("<f4").tobytes() if length else vector
