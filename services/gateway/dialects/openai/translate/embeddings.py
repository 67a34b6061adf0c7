"""Texts to embed, and their vectors."""

import base64
from array import array
from collections.abc import Sequence

from libs.contracts.embeddings import Embedded
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.openai import wire
from services.gateway.http import params

MOST_TEXTS = 2048
_BYTES = 4


def texts(body: wire.embeddings.EmbeddingRequest) -> list[str]:
    """Raises Fault INVALID."""
    given = [body.input] if isinstance(body.input, str) else body.input
    if not 1 <= len(given) <= MOST_TEXTS:
        raise Fault(Code.INVALID, f"Give from 1 to {MOST_TEXTS} texts.", field="input")
    for place, text in enumerate(given):
        if not isinstance(text, str):
            raise Fault(Code.INVALID, "Give texts: tokens are those of another model.", field=f"input[{place}]")
        if not text:
            raise Fault(Code.INVALID, "A text to embed must not be empty.", field=f"input[{place}]")
    return given


def other(name: str, ours: str) -> Fault:
    """Vectors of another model would compare with none that a client has."""
    if not name:
        return Fault(Code.INVALID, f"Name the model of these embeddings: {ours}.", field="model")
    message = f"There is no embedding model {params.shown(name)!r} here: the one there is is called {ours!r}."
    return Fault(Code.NOT_FOUND, message, field="model")


def reply(body: wire.embeddings.EmbeddingRequest, found: Sequence[Embedded]) -> wire.embeddings.Embeddings:
    """Of one batch after the other. Raises Fault INVALID where the model has another number of dimensions."""
    vectors = [vector for batch in found for vector in batch.vectors]
    dimensions = len(vectors[0]) // _BYTES
    if body.dimensions not in (None, dimensions):
        message = f"The vectors of {found[0].model} have {dimensions} dimensions: leave this out."
        raise Fault(Code.INVALID, message, field="dimensions")
    spell = _base64 if body.encoding_format == "base64" else _floats
    tokens = sum(batch.tokens for batch in found)
    return wire.embeddings.Embeddings(
        [wire.embeddings.Embedding(index, spell(vector)) for index, vector in enumerate(vectors)],
        found[0].model,
        wire.embeddings.Usage(tokens, tokens),
    )


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _floats(vector: bytes) -> list[float]:
    return array("f", vector).tolist()
