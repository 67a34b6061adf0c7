"""Apps."""

from datetime import datetime

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import Flag


class CreateApp(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    app_type: str | None = None


class UpdateApp(Struct, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None
    default: Flag = None


class App(Struct, frozen=True, kw_only=True):
    id: str
    guid: str
    name: str
    description: str
    app_type: str
    default: bool
    enabled: bool
    deleted: bool
    workspace_id: str
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
