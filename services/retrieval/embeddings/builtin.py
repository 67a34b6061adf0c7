"""The built-in model: WordLlama's 256 dimensions, the mean of a text's token vectors. It needs no network and no key.

Loaded on first use. A batch is embedded in a thread, in small parts, so that the event loop never waits for long.
"""

import asyncio
import json
from functools import cache
from typing import TYPE_CHECKING

from services.retrieval import wordllama
from services.retrieval.vectors import Space

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_SPACE = Space("wordllama-l2-256", 256)
_BATCH = 32
# What is embedded where it stands, in about a millisecond: any question, which so never waits for a batch.
_SMALL = 5_000


class BuiltinEmbedder:
    def __init__(self) -> None:
        self.name = _SPACE.name
        self._loaded = False
        self._loading = asyncio.Lock()
        self._batches = asyncio.Lock()

    async def space(self) -> Space:
        return _SPACE

    async def embed(self, texts: list[str], *, deadline: float = 60.0) -> list[bytes]:
        """`deadline` is for models that are far away."""
        await self._load()
        if sum(map(len, texts)) <= _SMALL:
            return embedded(texts)
        # One at a time: several threads gain little, and each of them may hold the event loop up for Python's 5 ms.
        async with self._batches:
            return await asyncio.to_thread(embedded, texts)

    async def close(self) -> None:
        """Nothing is open."""

    async def _load(self) -> None:
        async with self._loading:
            if not self._loaded:
                await asyncio.to_thread(_weights)
                await asyncio.to_thread(wordllama.tokenizer)
                self._loaded = True


def embedded(texts: list[str]) -> list[bytes]:
    weights, tokenizer = _weights(), wordllama.tokenizer()
    vectors: list[bytes] = []
    for start in range(0, len(texts), _BATCH):
        encodings = tokenizer.encode_batch_fast(texts[start : start + _BATCH], add_special_tokens=False)
        vectors += [_mean(weights, encoding.ids) for encoding in encodings]
    return vectors


def _mean(weights: "NDArray[float32]", tokens: list[int]) -> bytes:
    """A product with ones is several times faster than numpy's own mean over rows."""
    import numpy

    mean = numpy.ones(len(tokens), numpy.float32) @ weights[tokens] / max(1, len(tokens))
    return mean.astype("<f4").tobytes()


@cache
def _weights() -> "NDArray[float32]":
    """Read as the safetensors format says: a length, a JSON header, the numbers."""
    import numpy

    with wordllama.weights().open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        halves = numpy.fromfile(file, "<f2")
    return halves.reshape(header["embedding.weight"]["shape"]).astype(numpy.float32)
