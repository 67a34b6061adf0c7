"""What may stand as `model`."""

from msgspec import Struct


class Model(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`guid` is an action's, which is its other name."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    guid: str | None = None


class Models(Struct, frozen=True):
    data: list[Model]
    object: str = "list"
