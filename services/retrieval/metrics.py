"""What retrieval counts."""

from prometheus_client import Counter, Gauge, Histogram

from libs.postgres.database import Database
from libs.runtime.observing import Observed, query

DOCUMENTS = Counter("polyvox_documents", "Documents whose job ended, by how", ["outcome"])
CHUNKS = Counter("polyvox_chunks", "Chunks that were given vectors")
SEARCHES = Histogram(
    "polyvox_search_seconds", "Time a search took", buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2)
)
JOBS = Gauge("polyvox_document_jobs", "Documents that wait to be read or indexed, or are at it")
JOBS_SECONDS = Gauge("polyvox_document_jobs_oldest_seconds", "How long the first of them has been due")
REMOVALS = Gauge("polyvox_removals_due", "Removals of vectors and files that are due")

_BACKLOG = """
SELECT count(*), greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::float8,
    (SELECT count(*) FROM (SELECT FROM removals WHERE due_at <= now() LIMIT 10000) AS due)
FROM (SELECT due_at FROM jobs LIMIT 10000) AS waiting
"""


def backlog(database: Database) -> Observed:
    return query(database, "documents", (JOBS, JOBS_SECONDS, REMOVALS), _BACKLOG)
