"""Ratings of experiments: how many of a variant's runs people found good, and how sure that is.

Owner: feedback. Which variant a run was given is heard with its end; ratings are counted when they are asked for, so it
makes no difference which came first.
"""

import math
from uuid import UUID

from libs.bus.hear import Heard
from libs.contracts import feedback, runs
from libs.postgres.database import Connection, Database
from services.feedback.store import ratings as store
from services.feedback.store.ratings import Given

# Standard deviations on both sides that a confidence of 95 % takes.
_Z = 1.959964


class Ratings:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, request: feedback.RatingsOf) -> list[feedback.Ratings]:
        counted = await store.of(self._database, request.workspace_id, request.experiment_id)
        return [rated(one.variant_id, one.negative, one.positive) for one in counted]


async def note(connection: Connection, heard: list[Heard[runs.RunFinished]]) -> None:
    given = [one for event in heard if (one := _given(event.fact)) is not None]
    if given:
        await store.add(connection, given)


def _given(fact: runs.RunFinished) -> Given | None:
    if fact.experiment is None or fact.variant_id is None:
        return None
    return Given(fact.run_id, fact.workspace_id, UUID(fact.experiment), fact.variant_id)


def rated(variant_id: UUID, negative: int, positive: int) -> feedback.Ratings:
    """With Wilson's interval, which holds for few ratings and for shares near 0 and 1 as well."""
    count = negative + positive
    share = positive / count
    spread = 1 + _Z**2 / count
    middle = (share + _Z**2 / (2 * count)) / spread
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / spread
    return feedback.Ratings(variant_id, negative, positive, share, max(0.0, middle - half), min(1.0, middle + half))
