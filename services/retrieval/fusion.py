"""Fusion: what is near in meaning and what shares words with the question, in one order.

Cosines of different models lie in different ranges, and BM25 knows no upper bound: each is first brought to 0 to 1
among the hits of this question. The rule: the weight was measured (docs/retrieval.md), and the measure stays in bench/.
"""

from services.retrieval.vectors import Hit

# What the words count, of 1; meaning has the rest.
WORDS = 0.7
# So many hits each side names, however few are asked for.
CANDIDATES = 50


def fused(hits: list[Hit], words: float = WORDS) -> list[Hit]:
    """The best first."""
    if not hits:
        return []
    most = max(hit.words for hit in hits) or 1.0
    farthest, nearest = min(hit.score for hit in hits), max(hit.score for hit in hits)
    spread = (nearest - farthest) or 1.0

    def worth(hit: Hit) -> float:
        return words * hit.words / most + (1 - words) * (hit.score - farthest) / spread

    return sorted(hits, key=worth, reverse=True)
