"""Many webhook endpoints at once, as if each had been made by its owner."""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import ids
from libs.postgres.database import Database
from libs.runtime.sealing import Sealer
from services.webhook_dispatcher import signing
from services.webhook_dispatcher.endpoints import Secrets
from tests.support.services import MASTER_KEYS

_MAKE = """
    INSERT INTO endpoints (id, workspace_id, url, events, description, secret)
    SELECT id, $1, url, '{*}', '', secret FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS made (id, url, secret)
"""


async def make(database: Database, workspace_id: UUID, urls: Sequence[str]) -> list[UUID]:
    """One for each URL, which hears everything."""
    made, secrets = [ids.new() for _ in urls], Secrets(Sealer.of(MASTER_KEYS))
    sealed = [secrets.seal(id, signing.new_secret()) for id in made]
    await database.execute(_MAKE, workspace_id, made, list(urls), sealed)
    return made
