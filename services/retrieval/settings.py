"""What retrieval is told by its environment."""

from typing import Annotated

from msgspec import Meta

from libs.runtime.settings import Common
from services.retrieval import fusion
from services.retrieval.vectors.opening import check_url

Positive = Annotated[int, Meta(ge=1, description="a whole number from 1")]


class Settings(Common, kw_only=True, frozen=True):
    vectors_url: Annotated[str, Meta(description="embedded:///folder or http://qdrant:6333")]
    qdrant_api_key: str = ""
    # An OpenAI-compatible endpoint, such as https://api.openai.com/v1; without it the built-in model embeds.
    embeddings_url: str = ""
    embeddings_model: str = ""
    embeddings_key: str = ""
    chunk_tokens: Annotated[int, Meta(ge=20, le=8000, description="a number of tokens from 20 to 8000")] = 300
    chunk_overlap: Annotated[int, Meta(ge=0, description="a number of tokens from 0")] = 30
    # What sharing words with the question counts in a search; being near in meaning has the rest of 1.
    words_weight: Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")] = fusion.WORDS
    # A model that puts what was found in a better order, at a /rerank endpoint such as https://api.cohere.com/v2.
    rerank_url: str = ""
    rerank_model: str = ""
    rerank_key: str = ""
    # What one search may wait for it.
    rerank_seconds: Annotated[float, Meta(gt=0, le=15, description="a number of seconds up to 15")] = 2.0
    # Documents that this process reads and indexes at once.
    ingest_slots: Positive = 4
    max_file_bytes: Positive = 50 * 1024 * 1024
    max_text_characters: Positive = 20_000_000
    # What reading one file may take.
    reader_seconds: Positive = 60
    reader_megabytes: Annotated[int, Meta(ge=256, description="a number of megabytes from 256")] = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            check_url(self.vectors_url)
        except ValueError as wrong:
            raise ValueError(f"VECTORS_URL: {wrong}") from None
        if self.embeddings_url and not self.embeddings_model:
            raise ValueError("EMBEDDINGS_MODEL is missing: expected the name of the model at EMBEDDINGS_URL")
        if self.rerank_url and not self.rerank_model:
            raise ValueError("RERANK_MODEL is missing: expected the name of the model at RERANK_URL")
        if self.chunk_overlap >= self.chunk_tokens:
            raise ValueError("CHUNK_OVERLAP: expected less than CHUNK_TOKENS")
