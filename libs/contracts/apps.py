"""Apps: a folder of actions, one of which is its default.

Owner: runner.
"""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class App(Struct, frozen=True):
    """`default`: it answers where a workspace is talked to and no app is named."""

    id: UUID
    workspace_id: UUID
    name: str
    description: str
    app_type: str
    default_action_id: UUID | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    default: bool = False


class CreateApp(Struct, frozen=True):
    """With a `prompt`, a model or contexts it is made with its default action, called as itself."""

    workspace_id: UUID
    name: str
    description: str = ""
    app_type: str = ""
    created_by: UUID | None = None
    id: UUID | None = None
    prompt: str | None = None
    model_id: UUID | None = None
    context_ids: list[UUID] = []


class GetApp(Struct, frozen=True):
    workspace_id: UUID
    app_id: UUID


class FindApp(Struct, frozen=True):
    """The default app of the workspace: the one that was made so, else the first that has an action."""

    workspace_id: UUID


class PageApps(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateApp(Struct, frozen=True):
    """What is UNSET stays as it is. What is not the app's own is its default action's, made where it has none.

    One that becomes the `default` takes that over from the one before; without any, it is the first one again.
    """

    workspace_id: UUID
    app_id: UUID
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    model_id: UUID | UnsetType | None = UNSET
    context_ids: list[UUID] | UnsetType = UNSET
    default: bool | UnsetType = UNSET


CREATE = Rpc("rpc.runner.apps.create", CreateApp, App)
GET = Rpc("rpc.runner.apps.get", GetApp, App)
FIND = Rpc("rpc.runner.apps.find", FindApp, App)
PAGE = Rpc("rpc.runner.apps.page", PageApps, Page[App])
UPDATE = Rpc("rpc.runner.apps.update", UpdateApp, App)
DELETE = Rpc("rpc.runner.apps.delete", GetApp, App)
