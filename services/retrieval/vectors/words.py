"""BM25's side of a text: its words as a sparse vector. Both keepers take the engine's own, so they find the same."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdrant_edge import SparseVector

# The words that a chunk holds on average, stop words left out.
_AVERAGE_LENGTH = 100
# Thai to Tibetan, Myanmar, Khmer, kana, Han: scripts that put no spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


class Words:
    def __init__(self) -> None:
        from qdrant_edge import Bm25, Bm25Config

        self._model = Bm25(Bm25Config(avg_len=_AVERAGE_LENGTH))

    def of_chunk(self, text: str) -> "SparseVector":
        return self._model.embed_document(spaced(text))

    def of_question(self, text: str) -> "SparseVector":
        return self._model.embed_query(spaced(text))


def spaced(text: str) -> str:
    """`text` with its unspaced runs written as pairs of characters, which need no dictionary to be found again."""
    return text if text.isascii() else _UNSPACED.sub(_pairs, text)


def _pairs(run: re.Match[str]) -> str:
    pairs = map("".join, zip(run[0], run[0][1:], strict=False))
    return f" {' '.join(pairs) or run[0]} "
