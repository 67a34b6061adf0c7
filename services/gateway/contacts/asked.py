"""Changes of contacts that automations ask for: each is carried out once, or refused and told of.

The rule: what can't be done is no reason to try again. Only the database's own trouble is.
"""

import logging

from libs.bus.hear import Heard
from libs.contracts import contacts
from libs.contracts.contacts import UpdateRefused
from libs.contracts.errands import ContactUpdateAsked
from libs.contracts.faults import Fault
from libs.postgres import outbox
from libs.postgres.database import Connection
from libs.postgres.text import clean
from services.gateway.contacts import book, changes, store
from services.gateway.contacts.store import Contact

log = logging.getLogger(__name__)


async def updates(connection: Connection, heard: list[Heard[ContactUpdateAsked]]) -> None:
    for event in heard:
        await _update(connection, event.fact)


async def _update(connection: Connection, fact: ContactUpdateAsked) -> None:
    """A contact that is gone meanwhile wants nothing."""
    found = await _found(connection, fact)
    if found is None:
        log.info("There is no such contact to update", extra={"automation": fact.automation_id})
        return
    try:
        details = changes.read(clean(fact.fields)).over(found.details)
        await book.must_be_free(connection, found, details.email)
        await book.change(connection, found, details, chain=fact.chain)
    except Fault as fault:
        log.info("A contact is not updated", extra={"contact": found.id, "code": fault.code, "error": fault.sentence})
        refused = UpdateRefused(fact.workspace_id, fact.automation_id, fact.run_id, found.id, fault.sentence)
        await outbox.state(connection, contacts.UPDATE_REFUSED, [refused])


async def _found(connection: Connection, fact: ContactUpdateAsked) -> Contact | None:
    """It stays as it is until the end of the transaction."""
    id = fact.contact_id
    if id is None:
        named = await store.of_email(connection, fact.workspace_id, fact.email)
        id = named and named.id
    return id and await store.lock(connection, fact.workspace_id, id)
