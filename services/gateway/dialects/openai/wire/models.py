"""What may stand as `model`."""

from msgspec import UNSET, Struct, UnsetType


class Model(Struct, frozen=True, kw_only=True):
    """`guid` is an action's, which is its other name."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    guid: str | UnsetType = UNSET


class Models(Struct, frozen=True):
    data: list[Model]
    object: str = "list"
