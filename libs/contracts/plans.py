"""Plans: how much a workspace may do. Services are told the figures with what they are asked to make.

Owner: gateway.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


class PlanChanged(Struct, frozen=True):
    """Both by their names, as `free` or `pro`."""

    workspace_id: UUID
    plan: str
    before: str


CHANGED = Event("event.gateway.plans.changed", PlanChanged)
