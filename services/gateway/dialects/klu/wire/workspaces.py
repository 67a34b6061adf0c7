"""Workspaces."""

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import CAMEL


class CreateWorkspace(Struct, frozen=True, kw_only=True):
    """Without a `slug` it is made of the name."""

    name: str
    slug: str | None = None


class UpdateWorkspace(Struct, frozen=True, kw_only=True):
    """The slug stays: addresses may hold it."""

    name: str | None = None


class Workspace(Struct, frozen=True, kw_only=True, rename=CAMEL):
    """`id` and `project_guid` are the same: either is accepted where one is asked for."""

    id: str
    guid: str
    project_guid: str
    name: str
    slug: str
    created_by_id: str | None
