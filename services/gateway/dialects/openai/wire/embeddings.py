"""Embeddings: texts in, vectors out."""

from typing import Any, Literal

from msgspec import Struct


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """Lists of tokens are refused: they are those of another model."""

    input: str | list[Any]
    model: str = ""
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


class Embedding(Struct, frozen=True):
    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Usage(Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct, frozen=True):
    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"
