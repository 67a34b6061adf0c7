"""Models and their providers. A key goes in whole and comes out as its last four characters."""

from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from services.gateway.dialects.klu.wire.pages import CAMEL, Flag


class Price(Struct, frozen=True, kw_only=True):
    """In US dollars for a million tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None


class CreateModel(Struct, frozen=True, kw_only=True):
    llm: str
    provider: str
    key: str | None = None
    url: str | None = None
    nickname: str | None = None
    default: Flag = None
    price: Price | None = None
    sees_images: bool | None = None
    calls_tools: bool | None = None


class UpdateModel(Struct, frozen=True, kw_only=True):
    """`key` and `url` are those of the model's provider. A `price` of null is that of the tables again,
    `sees_images` or `calls_tools` of null what its name says.
    """

    llm: str | None = None
    key: str | None = None
    url: str | None = None
    nickname: str | None = None
    default: Flag = None
    price: Price | UnsetType | None = UNSET
    sees_images: bool | UnsetType | None = UNSET
    calls_tools: bool | UnsetType | None = UNSET


class ValidateKey(Struct, frozen=True):
    api_key: str
    provider: str


class Validated(Struct, frozen=True):
    validated: bool


class CreateProvider(Struct, frozen=True, kw_only=True):
    provider: str
    key: str | None = None
    url: str | None = None
    default: Flag = None


class UpdateProvider(Struct, frozen=True, kw_only=True):
    key: str | None = None
    url: str | None = None
    default: Flag = None


class ShownPrice(Struct, frozen=True, kw_only=True):
    input: float
    output: float
    cached: float | None


class Model(Struct, frozen=True, kw_only=True, rename=CAMEL):
    id: str
    guid: str
    llm: str
    nickname: str
    provider: str
    provider_guid: str
    key: str
    url: str
    default: bool
    context_window: int
    price: ShownPrice | None
    sees_images: bool | None
    calls_tools: bool | None
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class Provider(Struct, frozen=True, kw_only=True, rename=CAMEL):
    id: str
    guid: str
    name: str
    provider: str
    nickname: str
    key: str
    url: str
    default: bool
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class ProviderWithModels(Struct, frozen=True, kw_only=True, rename=CAMEL):
    """The Python SDK finds the provider in `provider`, the JavaScript one beside `models`."""

    provider: Provider
    models: list[Model]
    guid: str
    name: str
    nickname: str
    url: str
    default: bool
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
