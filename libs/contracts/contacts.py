"""Contacts: whom a workspace deals with. Others know them by their ids; what is known of one is asked of the gateway.

Owner: gateway.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event


class ContactCreated(Struct, frozen=True):
    """`chain`: the automations that led to it (libs.contracts.automations); none where a person or a client did it."""

    workspace_id: UUID
    contact_id: UUID
    chain: list[UUID] = []


class ContactUpdated(Struct, frozen=True):
    """`changed` names the fields that have another value now; `chain` is as in ContactCreated."""

    workspace_id: UUID
    contact_id: UUID
    changed: list[str]
    chain: list[UUID] = []


class ContactsErased(Struct, frozen=True):
    """These contacts are no more, and nothing that was told of them is to be kept."""

    workspace_id: UUID
    contact_ids: list[UUID]


CREATED = Event("event.gateway.contacts.created", ContactCreated)
UPDATED = Event("event.gateway.contacts.updated", ContactUpdated)
ERASED = Event("event.gateway.contacts.erased", ContactsErased)
