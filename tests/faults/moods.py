"""The moods of a webhook receiver: by the seed it refuses, or leaves unanswered, the first tries of some deliveries."""

import random
from collections.abc import Mapping

from tests.support.receiver import Answer

# Longer than an attempt may take: see the cluster's settings.
_TOO_LATE = 4.0
_BAD = (
    Answer(503),
    Answer(500),
    Answer(429, {"Retry-After": "1"}),
    Answer(302, {"Location": "http://127.0.0.1:1/"}),
    Answer(delay=_TOO_LATE),
)
_SHARE = 0.2


class Moods:
    def __init__(self, seed: int) -> None:
        self._chosen = random.Random(f"moods {seed}")
        self._bad: dict[str, list[Answer]] = {}

    def answer(self, headers: Mapping[str, str]) -> Answer:
        """What is left of the bad moods that this delivery meets, at most two of them."""
        bad = self._bad.setdefault(headers["webhook-id"], self._drawn())
        return bad.pop() if bad else Answer()

    def _drawn(self) -> list[Answer]:
        if self._chosen.random() >= _SHARE:
            return []
        return self._chosen.choices(_BAD, k=self._chosen.choice((1, 1, 2)))
