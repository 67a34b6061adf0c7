"""Embeddings: texts as vectors, by the built-in model or by an OpenAI-compatible endpoint that the operator named."""

from typing import Protocol

from services.retrieval.vectors import Space


class Embedder(Protocol):
    """`name` is what the model is called."""

    name: str

    async def space(self) -> Space:
        """Where this model's vectors are kept. Raises Fault where the model must be asked and doesn't answer."""
        ...

    async def embed(self, texts: list[str], *, deadline: float = 60.0) -> list[bytes]:
        """A vector of little-endian 32-bit floats for each text, within `deadline` seconds. Raises Fault."""
        ...

    async def close(self) -> None: ...
