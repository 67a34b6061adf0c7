"""Turns: where the next claim goes on, so that each workspace comes to its turn, and in it each of its endpoints.

Owner: webhook_dispatcher, one for each lane in a process. A claim takes workspaces in the order of their ids, and their
endpoints likewise; where it had enough before the end, the next goes on from there.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec import Struct

START = UUID(int=0)


class Taken(Struct, frozen=True):
    """The workspace and the endpoint of a delivery that was claimed, and how many of each might have been."""

    workspace_id: UUID
    endpoint_id: UUID
    share: int
    quota: int


class Turns:
    """`width`: how many workspaces a claim looks at."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.workspace = START
        self.endpoints: dict[UUID, UUID] = {}
        # Something, since the last claim that began at the start; or came by the end of a workspace.
        self._took = False

    def took(self, taken: Sequence[Taken], *, reached: UUID | None, full: Collection[UUID] = ()) -> bool:
        """A claim took these, and came as far as to that workspace where there are others behind. Whether there may be
        more to claim. It did not look into workspaces that are `full`: they keep their turn.
        """
        of_workspace = Counter(each.workspace_id for each in taken)
        of_endpoint = Counter(each.endpoint_id for each in taken)
        began, before = self.workspace, self.endpoints
        self.workspace = reached or START
        self.endpoints = {
            id: reached for id, reached in before.items() if id in full or not self._came_by(id, since=began)
        }
        # Where the end of a workspace was come by, its next turn is at its first endpoints again.
        self._took = self._took or bool(taken) or len(self.endpoints) < len(before)
        for each in sorted(taken, key=lambda each: each.endpoint_id):
            if of_workspace[each.workspace_id] >= each.share:
                self.endpoints[each.workspace_id] = each.endpoint_id
        if self.workspace != START:
            return True
        took, self._took = self._took, False
        if began != START:
            return took
        behind = {*before, *self.endpoints}.difference(full)
        return bool(behind) or any(of_endpoint[each.endpoint_id] >= each.quota for each in taken)

    def _came_by(self, workspace_id: UUID, *, since: UUID) -> bool:
        return workspace_id > since and (self.workspace == START or workspace_id <= self.workspace)
