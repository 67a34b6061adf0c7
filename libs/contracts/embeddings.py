"""Embeddings: texts as the vectors of the installation's embedding model, for clients that compare them themselves.

Owner: retrieval. A vector has the length 1, whatever the model gives.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Rpc


class EmbedTexts(Struct, frozen=True):
    """Without texts: what the model is called."""

    workspace_id: UUID
    texts: list[str] = []


class Embedded(Struct, frozen=True):
    """A vector of little-endian 32-bit floats for each text, in their order. `tokens` is how many they had, counted."""

    model: str
    vectors: list[bytes] = []
    tokens: int = 0


EMBED = Rpc("rpc.retrieval.embeddings.embed", EmbedTexts, Embedded)
