"""retrieval: what is known? What it answers, and what it does in the background and at its stop."""

from libs.bus import erased
from libs.contracts import contexts, documents, embeddings, files, search, workspaces
from libs.postgres.erasures import Erasures
from libs.postgres.leases import Lease
from libs.runtime.service import Service, run
from services.retrieval import erasing, metrics
from services.retrieval.chunking import Bounds
from services.retrieval.contexts import Contexts
from services.retrieval.documents import Documents
from services.retrieval.embedding import Embedding
from services.retrieval.embeddings import Embedder
from services.retrieval.embeddings.builtin import BuiltinEmbedder
from services.retrieval.embeddings.remote import RemoteEmbedder
from services.retrieval.extraction import Extraction
from services.retrieval.files import Files
from services.retrieval.indexing import Indexing
from services.retrieval.ingest import Ingest
from services.retrieval.readers.reading import Limits, Reader
from services.retrieval.removal import Removing
from services.retrieval.reranking import Reranker
from services.retrieval.restoring import Restoring
from services.retrieval.search import Search
from services.retrieval.settings import Settings
from services.retrieval.sources import Sources
from services.retrieval.store import jobs, removals
from services.retrieval.texts import Texts
from services.retrieval.vectors.opening import opened


async def build(service: Service, settings: Settings) -> None:
    database, bounds = service.database, Bounds(settings.chunk_tokens, settings.chunk_overlap)
    embedder, vectors = _embedder(service, settings), opened(settings.vectors_url, settings.qdrant_api_key)
    reader, lease = Reader(bounds, _limits(settings)), Lease(database, service.instance, service.instance)
    asked = Reader(bounds, _limits(settings))
    sources = Sources(service.blobs, service.egress, max_bytes=settings.max_file_bytes)
    uploads = Files(database, service.blobs, max_bytes=settings.max_file_bytes)
    steps = (Extraction(database, sources, reader, bounds), Indexing(database, embedder, vectors, service.state))
    ingest = Ingest(database, lease, steps, service.state, slots=settings.ingest_slots)
    removing = Removing(database, vectors, service.blobs)

    _serve_nouns(service, settings, uploads, sources)
    service.serve(files.READ, Texts(asked, max_bytes=settings.max_file_bytes).read)
    reranker = _reranker(service, settings)
    searching = Search(database, embedder, vectors, reranker, words=settings.words_weight)
    service.serve(search.QUERY, searching.query)
    service.serve(embeddings.EMBED, Embedding(embedder).embed)

    database.on_commit(jobs.TOPIC, ingest.wake)
    database.on_commit(removals.TOPIC, removing.wake)
    service.observe(metrics.backlog(database))
    service.background("lease", lease.run)
    service.background("vectors made anew", Restoring(database, embedder, vectors).once)
    service.background("ingest", ingest.run)
    service.hear(workspaces.DELETED, erased.of_workspaces)
    service.background("erasures", Erasures(database, erasing.STEPS).run)
    service.background("removals", removing.run)
    service.background("sweep of uploads", uploads.sweep)
    # The last one named is the first to end.
    for end in (vectors.close, embedder.close, asked.close, reader.close, ingest.stop):
        service.on_stop(end)
    if reranker is not None:
        service.on_stop(reranker.close)


def _serve_nouns(service: Service, settings: Settings, uploads: Files, sources: Sources) -> None:
    context = Contexts(service.database)
    document = Documents(service.database, sources, characters=settings.max_text_characters)
    service.serve(contexts.CREATE, context.create)
    service.serve(contexts.GET, context.get)
    service.serve(contexts.PAGE, context.page)
    service.serve(contexts.UPDATE, context.update)
    service.serve(contexts.DELETE, context.delete)
    service.serve(contexts.REINDEX, context.reindex)
    service.serve(contexts.STATUSES, context.statuses)
    service.serve(contexts.REVISIONS, context.revisions)
    service.serve(documents.ADD_TEXT, document.add_text)
    service.serve(documents.ADD_FILES, document.add_files)
    service.serve(documents.GET, document.get)
    service.serve(documents.FIND, document.find)
    service.serve(documents.PAGE, document.page)
    service.serve(documents.UPDATE, document.update)
    service.serve(documents.DELETE, document.delete)
    service.serve(documents.DELETE_ALL, document.delete_all)
    service.serve(files.BEGIN, uploads.begin)
    service.serve(files.GET, uploads.get)
    service.serve(files.FINISH, uploads.finish)


def _embedder(service: Service, settings: Settings) -> Embedder:
    if not settings.embeddings_url:
        return BuiltinEmbedder()
    return RemoteEmbedder(
        service.egress, url=settings.embeddings_url, model=settings.embeddings_model, key=settings.embeddings_key
    )


def _reranker(service: Service, settings: Settings) -> Reranker | None:
    if not settings.rerank_url:
        return None
    return Reranker(
        service.egress,
        url=settings.rerank_url,
        model=settings.rerank_model,
        key=settings.rerank_key,
        seconds=settings.rerank_seconds,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        seconds=settings.reader_seconds,
        memory=settings.reader_megabytes * 1024 * 1024,
        characters=settings.max_text_characters,
    )


if __name__ == "__main__":
    run("retrieval", Settings, build)
