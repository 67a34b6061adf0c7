"""Models and providers."""

from msgspec import UNSET

from libs.contracts import models
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller


def create(caller: Caller, body: wire.models.CreateModel) -> models.CreateModel:
    return models.CreateModel(
        workspace_id=caller.workspace_id,
        llm=body.llm,
        provider=body.provider,
        key=body.key or "",
        url=body.url or "",
        nickname=body.nickname or "",
        default=values.flag(body.default, "default"),
        created_by=caller.account_id,
        price=_price(body.price),
        sees_images=body.sees_images,
        calls_tools=body.calls_tools,
        default_if_first=body.default is None,
    )


def _price(given: wire.models.Price | None) -> models.Price | None:
    if given is None:
        return None
    cached = None if given.cached is None else values.nanos(given.cached, "price.cached")
    return models.Price(values.nanos(given.input, "price.input"), values.nanos(given.output, "price.output"), cached)


def _shown(price: models.Price | None) -> wire.models.ShownPrice | None:
    if price is None:
        return None
    cached = None if price.cached is None else values.dollars(price.cached)
    return wire.models.ShownPrice(input=values.dollars(price.input), output=values.dollars(price.output), cached=cached)


def update(asked: models.GetModel, body: wire.models.UpdateModel) -> models.UpdateModel:
    assert asked.model_id is not None
    return models.UpdateModel(
        asked.workspace_id,
        asked.model_id,
        llm=values.kept(body.llm),
        nickname=values.kept(body.nickname),
        default=values.kept_flag(body.default, "default"),
        price=UNSET if body.price is UNSET else _price(body.price),
        sees_images=body.sees_images,
        calls_tools=body.calls_tools,
        key=values.kept(body.key),
        url=values.kept(body.url),
    )


def create_provider(caller: Caller, body: wire.models.CreateProvider) -> models.CreateProvider:
    return models.CreateProvider(
        workspace_id=caller.workspace_id,
        name=body.provider,
        key=body.key or "",
        url=body.url or "",
        default=values.flag(body.default, "default"),
        created_by=caller.account_id,
    )


def update_provider(asked: models.GetProvider, body: wire.models.UpdateProvider) -> models.UpdateProvider:
    return models.UpdateProvider(
        asked.workspace_id,
        asked.provider_id,
        key=values.kept(body.key),
        url=values.kept(body.url),
        default=values.kept_flag(body.default, "default"),
    )


def reply(model: models.Model) -> wire.models.Model:
    return wire.models.Model(
        id=str(model.id),
        guid=str(model.id),
        llm=model.llm,
        nickname=model.nickname,
        provider=model.provider.name,
        provider_guid=str(model.provider.id),
        key=model.provider.masked_key,
        url=model.provider.url,
        default=model.default,
        context_window=model.context_window,
        price=_shown(model.price),
        sees_images=model.sees_images,
        calls_tools=model.calls_tools,
        created_by_id=values.spelled(model.created_by),
        created_at=model.created_at,
        updated_at=model.updated_at,
    )


def provider(provider: models.Provider) -> wire.models.Provider:
    return wire.models.Provider(
        id=str(provider.id),
        guid=str(provider.id),
        name=provider.name,
        provider=provider.name,
        nickname=provider.name,
        key=provider.masked_key,
        url=provider.url,
        default=provider.default,
        created_by_id=values.spelled(provider.created_by),
        created_at=provider.created_at,
        updated_at=provider.updated_at,
    )


def with_models(provider_: models.Provider, known: list[models.Model]) -> wire.models.ProviderWithModels:
    its = [reply(model) for model in known if model.provider.id == provider_.id]
    shown = provider(provider_)
    return wire.models.ProviderWithModels(
        provider=shown,
        models=its,
        guid=shown.guid,
        name=shown.name,
        nickname=shown.nickname,
        url=shown.url,
        default=shown.default,
        created_by_id=shown.created_by_id,
        created_at=shown.created_at,
        updated_at=shown.updated_at,
    )
