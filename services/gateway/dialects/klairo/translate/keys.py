"""API keys: as they are listed, as one is shown once, and whose one is."""

from libs.contracts import ids
from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klairo import wire
from services.gateway.directory import store
from services.gateway.directory.keys import NewKey
from services.gateway.plans.plans import Terms


def key(kept: store.Key) -> wire.keys.Key:
    return wire.keys.Key(
        id=ids.crockford("key", kept.id), name=kept.name, prefix=kept.prefix, created_at=kept.created_at
    )


def created(made: NewKey) -> wire.keys.CreatedKey:
    shown = key(made.key)
    return wire.keys.CreatedKey(
        id=shown.id, name=shown.name, key=made.secret, prefix=shown.prefix, created_at=shown.created_at
    )


def keys(page: Page[store.Key], slice: Slice) -> wire.keys.Keys:
    return wire.keys.Keys(
        data=[key(kept) for kept in page.items], total=page.total, limit=slice.limit, offset=slice.offset
    )


def validity(kept: store.Key, terms: Terms, account: store.Account | None, *, used: int) -> wire.keys.Validity:
    return wire.keys.Validity(
        user_id=ids.crockford("usr", account.id) if account else None,
        email=account.email if account else None,
        plan=terms.plan,
        key_name=kept.name,
        usage=used,
        limit=terms.api_calls_per_month,
    )
