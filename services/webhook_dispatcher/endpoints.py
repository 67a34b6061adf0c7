"""Endpoints: registered, listed and removed.

Owner: webhook_dispatcher. A secret is shown at its making, the same as often as that is repeated, and never again:
at rest it is sealed and bound to its row.
"""

from functools import lru_cache
from uuid import UUID

from libs.contracts import endpoints, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.egress import Egress
from libs.postgres.database import Connection, Database
from libs.runtime.sealing import Sealer
from services.webhook_dispatcher import events, signing
from services.webhook_dispatcher.fan_outs import QUEUED
from services.webhook_dispatcher.store import endpoints as store

# Both secrets sign for so long after a change.
OVERLAP_HOURS = 24
_KNOWN = 1000
_LONGEST_DESCRIPTION = 500


class Endpoints:
    def __init__(self, database: Database, egress: Egress, secrets: "Secrets") -> None:
        self._database, self._egress, self._secrets = database, egress, secrets

    async def create(self, request: endpoints.CreateEndpoint) -> endpoints.CreatedEndpoint:
        self._egress.check(request.url)
        _must_be_short(request.description)
        wanted = events.subscription(request.events)
        id, secret = request.id or ids.new(), signing.new_secret()
        sealed = self._secrets.made(id, secret, asymmetric=request.asymmetric)
        async with self._database.transaction() as connection:
            await _must_be_allowed(connection, request)
            endpoint = await store.insert(connection, id, request, events=wanted, sealed=sealed)
        return endpoints.CreatedEndpoint(endpoint, secret) if endpoint else await self._made(request.workspace_id, id)

    async def _made(self, workspace_id: UUID, id: UUID) -> endpoints.CreatedEndpoint:
        """For whoever made it, and did not hear of it."""
        endpoint = await store.get(self._database, workspace_id, id)
        if endpoint is None:
            raise not_found("webhook", id)
        return endpoints.CreatedEndpoint(endpoint, self._secrets.open(id, await store.secret(self._database, id)))

    async def page(self, request: endpoints.PageEndpoints) -> Page[endpoints.Endpoint]:
        items = await store.page(self._database, request.workspace_id, request.slice)
        return Page(items, await store.total(self._database, request.workspace_id))

    async def update(self, request: endpoints.UpdateEndpoint) -> endpoints.Endpoint:
        if request.url is not None:
            self._egress.check(request.url)
        _must_be_short(request.description or "")
        wanted = None if request.events is None else events.subscription(request.events)
        async with self._database.transaction() as connection:
            known = await store.get(connection, request.workspace_id, request.endpoint_id)
            if known and request.ordered not in (None, known.ordered):
                await store.put_in_order(connection, known.id, ordered=not known.ordered)
                connection.wake_after(QUEUED)
            if known and request.status == "disabled":
                await store.disable(connection, [known.id])
            changed = await store.update(connection, request, events=wanted)
        if changed is None:
            raise not_found("webhook", request.endpoint_id)
        return changed

    async def rotate(self, request: endpoints.GetEndpoint) -> endpoints.CreatedEndpoint:
        """A new secret; the one before signs along for a day."""
        secret = signing.new_secret()
        sealed = self._secrets.seal(request.endpoint_id, secret)
        async with self._database.transaction() as connection:
            await store.forget_secrets(connection, request.endpoint_id)
            endpoint = await store.rotate(
                connection, request.workspace_id, request.endpoint_id, secret=sealed, hours=OVERLAP_HOURS
            )
        if endpoint is None:
            raise not_found("webhook", request.endpoint_id)
        return endpoints.CreatedEndpoint(endpoint, secret)

    async def delete(self, request: endpoints.GetEndpoint) -> endpoints.Endpoint:
        gone = await store.delete(self._database, request.workspace_id, request.endpoint_id)
        if gone is None:
            raise not_found("webhook", request.endpoint_id)
        return gone


def _must_be_short(description: str) -> None:
    if len(description) > _LONGEST_DESCRIPTION:
        raise Fault(Code.INVALID, f"Expected {_LONGEST_DESCRIPTION} characters at most.", field="description")


async def _must_be_allowed(connection: Connection, request: endpoints.CreateEndpoint) -> None:
    """Disabled ones count as well. Repeating what made one of them makes no further one, and is allowed."""
    if request.at_most is None:
        return
    await store.lock(connection, request.workspace_id)
    if request.id is not None and await store.get(connection, request.workspace_id, request.id):
        return
    if await store.total(connection, request.workspace_id) >= request.at_most:
        message = f"The plan of this workspace allows {request.at_most} webhooks: delete one, or change the plan."
        raise Fault(Code.FORBIDDEN, message)


class Secrets:
    """Endpoints' secrets at rest: one sealed for an endpoint opens for that endpoint alone."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        # Each delivery asks for those of its endpoint.
        self.keys = lru_cache(_KNOWN)(self._keys)

    def made(self, endpoint_id: UUID, secret: str, *, asymmetric: bool) -> store.Sealed:
        """The keys of a new endpoint, with a pair of Ed25519 keys where it wants one."""
        sealed = self.seal(endpoint_id, secret)
        if not asymmetric:
            return store.Sealed(sealed)
        key = signing.new_signing_key()
        kept = self._sealer.seal(key, about=_key(endpoint_id))
        return store.Sealed(sealed, kept, signing.public_key(key))

    def _keys(self, endpoint_id: UUID, secrets: tuple[bytes, ...], signing_key: bytes | None) -> signing.Keys:
        """Raises SealBroken."""
        opened = [self.open(endpoint_id, sealed) for sealed in secrets]
        key = self._sealer.open(signing_key, about=_key(endpoint_id)) if signing_key is not None else None
        return signing.Keys(opened, key)

    def seal(self, endpoint_id: UUID, secret: str) -> bytes:
        return self._sealer.seal(secret.encode(), about=_row(endpoint_id))

    def open(self, endpoint_id: UUID, sealed: bytes) -> str:
        """Raises SealBroken."""
        return self._sealer.open(sealed, about=_row(endpoint_id)).decode()


def _row(endpoint_id: UUID) -> bytes:
    return b"webhook_dispatcher.endpoints.secret " + endpoint_id.bytes


def _key(endpoint_id: UUID) -> bytes:
    return b"webhook_dispatcher.endpoints.signing_key " + endpoint_id.bytes
