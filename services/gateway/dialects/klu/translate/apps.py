"""Apps."""

from libs.contracts import apps
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller


def create(caller: Caller, body: wire.apps.CreateApp) -> apps.CreateApp:
    return apps.CreateApp(
        workspace_id=caller.workspace_id,
        name=body.name,
        description=body.description or "",
        app_type=body.app_type or "",
        created_by=caller.account_id,
    )


def update(asked: apps.GetApp, body: wire.apps.UpdateApp) -> apps.UpdateApp:
    return apps.UpdateApp(
        asked.workspace_id,
        asked.app_id,
        name=values.kept(body.name),
        description=values.kept(body.description),
        default=values.kept_flag(body.default, "default"),
    )


def reply(app: apps.App) -> wire.apps.App:
    return _reply(app, deleted=False)


def deleted(app: apps.App) -> wire.apps.App:
    return _reply(app, deleted=True)


def _reply(app: apps.App, *, deleted: bool) -> wire.apps.App:
    return wire.apps.App(
        id=str(app.id),
        guid=str(app.id),
        name=app.name,
        description=app.description,
        app_type=app.app_type,
        default=app.default,
        enabled=not deleted,
        deleted=deleted,
        workspace_id=str(app.workspace_id),
        created_by_id=values.spelled(app.created_by),
        created_at=app.created_at,
        updated_at=app.updated_at,
    )
