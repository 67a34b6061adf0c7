"""Models and the providers that serve them.

Owner: runner, which never gives out a provider's key: others see its last four characters. A model without a workspace
belongs to the installation and is there for every workspace.
"""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class Provider(Struct, frozen=True):
    """`kind` says which protocol its endpoint speaks: `openai` (chat completions) or `anthropic` (messages)."""

    id: UUID
    workspace_id: UUID | None
    name: str
    kind: str
    url: str
    masked_key: str
    default: bool
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class Price(Struct, frozen=True):
    """What a million tokens cost, in nano-dollars (10⁻⁹ USD). `cached` is for input that the provider read from its
    cache; without one it costs what other input does.
    """

    input: int
    output: int
    cached: int | None = None


class Model(Struct, frozen=True):
    """`llm` is the provider's name of the model, `context_window` its size in tokens. `default`: it answers in this
    workspace wherever none is named. Without a `price` of its own the tables of prices say what it costs; without
    `sees_images` its name says whether it sees them, without `calls_tools` whether it calls any.
    """

    id: UUID
    workspace_id: UUID | None
    llm: str
    nickname: str
    provider: Provider
    context_window: int
    default: bool
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    price: Price | None = None
    sees_images: bool | None = None
    calls_tools: bool | None = None


class CreateProvider(Struct, frozen=True):
    """`name` picks the protocol and a default address (OpenAI, Anthropic, …); `url` overrides the address."""

    workspace_id: UUID
    name: str
    key: str = ""
    url: str = ""
    default: bool = False
    created_by: UUID | None = None
    id: UUID | None = None


class GetProvider(Struct, frozen=True):
    workspace_id: UUID
    provider_id: UUID


class PageProviders(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateProvider(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    provider_id: UUID
    key: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    default: bool | UnsetType = UNSET


class ValidateKey(Struct, frozen=True):
    """Whether a key opens a provider: one known by its name, or one of the workspace's by name or id."""

    workspace_id: UUID
    provider: str
    key: str


class CreateModel(Struct, frozen=True):
    """Adds a model of the provider named `provider` (or of that id); `key` and `url` make a provider that is new.
    `default_if_first`: it is the default where the workspace has no model of its own yet.
    """

    workspace_id: UUID
    llm: str
    provider: str
    key: str = ""
    url: str = ""
    nickname: str = ""
    default: bool = False
    context_window: int = 0
    created_by: UUID | None = None
    id: UUID | None = None
    price: Price | None = None
    sees_images: bool | None = None
    calls_tools: bool | None = None
    default_if_first: bool = False


class GetModel(Struct, frozen=True):
    """Without `model_id`: the one that answers where none is named."""

    workspace_id: UUID
    model_id: UUID | None = None


class FindModel(Struct, frozen=True):
    """By its provider's name and what that calls it, case aside. Of several the workspace's own oldest is found."""

    workspace_id: UUID
    provider: str
    llm: str


class PageModels(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice(limit=500)


class UpdateModel(Struct, frozen=True):
    """What is UNSET stays as it is. `key` and `url` are those of the model's provider."""

    workspace_id: UUID
    model_id: UUID
    llm: str | UnsetType = UNSET
    nickname: str | UnsetType = UNSET
    default: bool | UnsetType = UNSET
    context_window: int | UnsetType = UNSET
    price: Price | UnsetType | None = UNSET
    sees_images: bool | UnsetType | None = UNSET
    calls_tools: bool | UnsetType | None = UNSET
    key: str | UnsetType = UNSET
    url: str | UnsetType = UNSET


CREATE = Rpc("rpc.runner.models.create", CreateModel, Model)
GET = Rpc("rpc.runner.models.get", GetModel, Model)
FIND = Rpc("rpc.runner.models.find", FindModel, Model)
PAGE = Rpc("rpc.runner.models.page", PageModels, Page[Model])
UPDATE = Rpc("rpc.runner.models.update", UpdateModel, Model)
DELETE = Rpc("rpc.runner.models.delete", GetModel, Model)
CREATE_PROVIDER = Rpc("rpc.runner.providers.create", CreateProvider, Provider)
PAGE_PROVIDERS = Rpc("rpc.runner.providers.page", PageProviders, Page[Provider])
UPDATE_PROVIDER = Rpc("rpc.runner.providers.update", UpdateProvider, Provider)
DELETE_PROVIDER = Rpc("rpc.runner.providers.delete", GetProvider, Provider)
VALIDATE = Rpc("rpc.runner.providers.validate", ValidateKey, bool)
