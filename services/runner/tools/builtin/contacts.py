"""Contacts, looked up for a model. They are asked of the gateway each time, which alone keeps them."""

from datetime import date
from typing import Any
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import contacts, ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from services.runner.tools.builtin import told

_METADATA_IN_A_LIST = 1000
_METADATA_ALONE = 12_000
_LIMIT = 20
SECONDS = 8.0

SEARCH = (
    "Searches the contacts (leads, clients) of this workspace, newest first. Without arguments it lists the newest. "
    "For the leads of a day give it as created_since and created_until."
)
SEARCHING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "description": "Words, or their beginnings, of the name, the e-mail address or the company.",
        },
        "tag": {"type": "string", "description": "Only contacts with exactly this tag."},
        "created_since": {"type": "string", "description": "First day on which they were made, as YYYY-MM-DD."},
        "created_until": {"type": "string", "description": "Last day on which they were made, as YYYY-MM-DD."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many to list (20)."},
    },
    "additionalProperties": False,
}
GET = "Tells all that is known of one contact, by id or by e-mail address."
GETTING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The contact's id, as search_contacts tells it."},
        "email": {"type": "string", "description": "Its e-mail address."},
    },
    "additionalProperties": False,
}


async def search(bus: Bus, workspace_id: UUID, arguments: dict[str, Any]) -> str:
    """Raises Fault, in words for the model."""
    asked = contacts.SearchContacts(
        workspace_id,
        str(arguments.get("query", "")),
        str(arguments.get("tag", "")),
        _day(arguments, "created_since"),
        _day(arguments, "created_until"),
        slice=Slice(0, int(arguments.get("limit", _LIMIT))),
    )
    found = await bus.call(contacts.SEARCH, asked, timeout=SECONDS)
    known = [spelled(contact, _METADATA_IN_A_LIST) for contact in found.items]
    return told.listed("contacts", known, today=found.today, timezone=found.timezone, total=found.total)


async def get(bus: Bus, workspace_id: UUID, arguments: dict[str, Any]) -> str:
    """Raises Fault, in words for the model."""
    id, email = told.id(arguments, "id"), str(arguments.get("email", ""))
    if id is None and not email:
        raise Fault(Code.INVALID, "give an id or an email")
    contact = await bus.call(contacts.GET, contacts.GetContact(workspace_id, id, email), timeout=SECONDS)
    return told.one(spelled(contact, _METADATA_ALONE))


def spelled(contact: contacts.Contact, metadata: int) -> dict[str, Any]:
    """`metadata`: the bytes that it may take."""
    return {
        "id": ids.crockford("cnt", contact.id),
        "name": contact.name,
        "email": contact.email,
        "company": contact.company,
        "tags": contact.tags,
        "metadata": told.within(contact.metadata, metadata),
        "created_at": told.moment(contact.created_at),
        "updated_at": told.moment(contact.updated_at),
    }


def _day(arguments: dict[str, Any], name: str) -> date | None:
    text = str(arguments.get(name, ""))
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Fault(Code.INVALID, f"{name}: {text[:40]!r} is no day as YYYY-MM-DD") from None
