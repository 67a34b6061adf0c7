"""Workspaces: whose everything is. Services know them by their ids alone; the gateway says when one ends.

Owner: gateway.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


class WorkspaceDeleted(Struct, frozen=True):
    """Everything of the workspace's is to be erased."""

    workspace_id: UUID


class WorkspaceExpired(Struct, frozen=True):
    """The workspace keeps nothing that ran before this moment: runs, and what was said and told of them."""

    workspace_id: UUID
    before: datetime


class TimezoneChanged(Struct, frozen=True):
    """The workspace's days begin by other clocks from now on: `timezone` is an IANA name."""

    workspace_id: UUID
    timezone: str


DELETED = Event("event.gateway.workspaces.deleted", WorkspaceDeleted)
EXPIRED = Event("event.gateway.workspaces.expired", WorkspaceExpired)
TIMEZONE_CHANGED = Event("event.gateway.workspaces.timezone_changed", TimezoneChanged)
