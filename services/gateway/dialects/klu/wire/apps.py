"""Apps."""

from datetime import datetime

from msgspec import Struct


class CreateApp(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    app_type: str | None = None


class UpdateApp(Struct, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None


class App(Struct, frozen=True, kw_only=True):
    id: str
    guid: str
    name: str
    description: str
    app_type: str
    enabled: bool
    deleted: bool
    workspace_id: str
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
