"""Workspaces."""

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import CAMEL


class Workspace(Struct, frozen=True, kw_only=True, rename=CAMEL):
    """`id` and `project_guid` are the same: either is accepted where one is asked for."""

    id: str
    guid: str
    project_guid: str
    name: str
    slug: str
    created_by_id: str | None
