"""Fusion: what is near in meaning and what shares words with the question, in one order.

Cosines of different models lie in different ranges, and BM25 knows no upper bound: each is first brought to 0 to 1
among the hits of this question. The rule: the weight was measured (docs/retrieval.md), and the measure stays in bench/.
"""

from services.retrieval.vectors import Hit

# What the words count, of 1; meaning has the rest.
WORDS = 0.7
# So many hits each side names, however few are asked for.
CANDIDATES = 25


def fused(hits: list[Hit], words: float = WORDS) -> list[Hit]:
    """The best first."""
    if not hits:
        return []
    scores = [hit.score for hit in hits]
    of_words = words / (max(hit.words for hit in hits) or 1.0)
    of_meaning = (1 - words) / (max(scores) - min(scores) or 1.0)
    return sorted(hits, key=lambda hit: of_words * hit.words + of_meaning * hit.score, reverse=True)
