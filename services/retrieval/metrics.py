"""What retrieval counts."""

from prometheus_client import Counter, Histogram

DOCUMENTS = Counter("polyvox_documents", "Documents whose job ended, by how", ["outcome"])
CHUNKS = Counter("polyvox_chunks", "Chunks that were given vectors")
SEARCHES = Histogram(
    "polyvox_search_seconds", "Time a search took", buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2)
)
