"""Usage: what a workspace's runs took, counted by UTC day from the events of finished runs, each once.

Owner: feedback.
"""

from datetime import date
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Rpc


class UsageOf(Struct, frozen=True):
    """From the first day to the last, both included; days without a run are left out."""

    workspace_id: UUID
    first: date
    last: date


class Day(Struct, frozen=True):
    """`cost` is in nano-dollars (10⁻⁹ USD), without that of the `unpriced` runs, whose price is not known."""

    date: date
    runs: int
    failed: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost: int = 0
    unpriced: int = 0


OF = Rpc("rpc.feedback.usage.of", UsageOf, list[Day])
