"""Sessions."""

from datetime import datetime

from msgspec import Struct, field

from services.gateway.dialects.klu.wire.pages import CAMEL


class CreateSession(Struct, frozen=True, kw_only=True):
    action: str | None = None
    name: str | None = None
    ext_user_id: str | int | None = field(default=None, name="extUserId")


class Session(
    Struct,
    frozen=True,
    kw_only=True,
    rename=CAMEL | {"action_id": "actionId", "ext_user_id": "extUserId", "ext_user_ids": "extUserIds"},
):
    id: str
    guid: str
    name: str
    action: str | None
    action_id: str | None
    ext_user_id: str | None
    ext_user_ids: str | None
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
