"""Which keeper of vectors a setting names."""

from pathlib import Path
from urllib.parse import urlsplit

from services.retrieval.vectors import Vectors
from services.retrieval.vectors.embedded import EmbeddedVectors

_EMBEDDED = "embedded://"


def check_url(url: str) -> None:
    """Raises ValueError."""
    folder = url.removeprefix(_EMBEDDED)
    parts = urlsplit(url)
    if not (folder != url and folder.startswith("/")) and not (parts.scheme in ("http", "https") and parts.netloc):
        raise ValueError(f"{url!r} is no place for vectors: expected embedded:///folder or http://qdrant:6333")


def opened(url: str, api_key: str = "") -> Vectors:
    """`embedded:///folder`, as it stands, or `http://qdrant:6333`. Nothing is reached before the first call."""
    check_url(url)
    if url.startswith(_EMBEDDED):
        return EmbeddedVectors(Path(url.removeprefix(_EMBEDDED)))
    from services.retrieval.vectors.server import ServerVectors

    return ServerVectors(url, api_key)
