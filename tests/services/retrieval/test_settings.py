"""What retrieval is told: a wrong setting is named, with what it should be."""

import pytest

from libs.runtime.settings import BadSettings, read
from services.retrieval.settings import Settings

GIVEN = {
    "POSTGRES_DSN": "postgresql://retrieval@127.0.0.1/polyvox",
    "BLOBS_URL": "file:///blobs",
    "VECTORS_URL": "embedded:///vectors",
}


def test_little_needs_to_be_said() -> None:
    settings = read(Settings, GIVEN)
    assert (settings.chunk_tokens, settings.ingest_slots, settings.embeddings_url) == (300, 4, "")


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"VECTORS_URL": ""}, "VECTORS_URL is missing: expected embedded:///folder or http://qdrant:6333"),
        ({"VECTORS_URL": "qdrant:6333"}, "VECTORS_URL: 'qdrant:6333' is no place for vectors"),
        ({"EMBEDDINGS_URL": "https://api.example.com/v1"}, "EMBEDDINGS_MODEL is missing"),
        ({"RERANK_URL": "https://api.example.com/v2"}, "RERANK_MODEL is missing"),
        ({"WORDS_WEIGHT": "1.5"}, "WORDS_WEIGHT is '1.5': expected a number from 0 to 1"),
        ({"CHUNK_TOKENS": "100", "CHUNK_OVERLAP": "100"}, "CHUNK_OVERLAP: expected less than CHUNK_TOKENS"),
        ({"INGEST_SLOTS": "0"}, "INGEST_SLOTS is '0': expected a whole number from 1"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str], line: str) -> None:
    with pytest.raises(BadSettings, match=line):
        read(Settings, GIVEN | wrong)
