"""Contacts: whom a workspace deals with. Others know them by their ids; what is known of one is asked of the gateway.

Owner: gateway.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


class ContactCreated(Struct, frozen=True):
    workspace_id: UUID
    contact_id: UUID


class ContactUpdated(Struct, frozen=True):
    """`changed` names the fields that have another value now."""

    workspace_id: UUID
    contact_id: UUID
    changed: list[str]


class ContactsErased(Struct, frozen=True):
    """These contacts are no more, and nothing that was told of them is to be kept."""

    workspace_id: UUID
    contact_ids: list[UUID]


CREATED = Event("event.gateway.contacts.created", ContactCreated)
UPDATED = Event("event.gateway.contacts.updated", ContactUpdated)
ERASED = Event("event.gateway.contacts.erased", ContactsErased)
