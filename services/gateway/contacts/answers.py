"""Contacts as others may look them up: what `rpc.gateway.contacts.*` answers, in the workspace that asks alone.

The rule: it only reads, and what is asked for is bounded.
"""

from libs.contracts import contacts
from libs.contracts.contacts import Contact, Found, GetContact, SearchContacts
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.postgres.database import Database
from services.gateway.contacts import book, store, words
from services.gateway.contacts.store import Sought
from services.gateway.directory.clocks import clock

_MOST = 100


class Contacts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, asked: SearchContacts) -> Found:
        its = await clock(self._database, asked.workspace_id)
        sought = words.query(asked.text, mentioned=asked.mentioned)
        if asked.mentioned and sought is None:
            return Found([], 0, its.today, its.timezone)
        slice = Slice(asked.slice.offset, min(asked.slice.limit, _MOST))
        wanted = Sought(sought, asked.tag or None, asked.since, asked.until)
        page = await store.page(self._database, asked.workspace_id, slice, wanted)
        return Found([_told(known) for known in page.items], page.total, its.today, its.timezone)

    async def get(self, asked: GetContact) -> Contact:
        """Raises Fault NOT_FOUND."""
        if asked.contact_id is not None:
            return _told(await book.get(self._database, asked.workspace_id, asked.contact_id))
        found = await store.of_email(self._database, asked.workspace_id, asked.email)
        if found is None:
            raise Fault(Code.NOT_FOUND, "There is no contact with this e-mail address.", field="email")
        return _told(found)


def _told(known: store.Contact) -> contacts.Contact:
    return contacts.Contact(**{name: getattr(known, name) for name in contacts.Contact.__struct_fields__})
