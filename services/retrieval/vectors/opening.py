"""Which keeper of vectors a setting names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.retrieval.vectors import Vectors
from services.retrieval.vectors.embedded import EmbeddedVectors


def opened(url: str, api_key: str = "") -> Vectors:
    """`embedded:///folder` (or `file:`) or `http://qdrant:6333`. Raises ValueError; nothing is reached before a call."""
    parts = urlsplit(url)
    if parts.scheme in ("embedded", "file") and parts.path.startswith("/") and not parts.netloc:
        return EmbeddedVectors(Path(unquote(parts.path)))
    if parts.scheme in ("http", "https") and parts.netloc:
        from services.retrieval.vectors.server import ServerVectors

        return ServerVectors(url, api_key)
    raise ValueError(f"{url!r} is no place for vectors: expected embedded:///folder or http://qdrant:6333")
