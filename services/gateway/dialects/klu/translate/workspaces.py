"""Workspaces."""

from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.store import Workspace


def reply(workspace: Workspace) -> wire.workspaces.Workspace:
    id = str(workspace.id)
    return wire.workspaces.Workspace(
        id=id,
        guid=id,
        project_guid=id,
        name=workspace.name,
        slug=workspace.slug,
        created_by_id=values.spelled(workspace.created_by),
    )
