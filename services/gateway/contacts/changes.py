"""Changes: what is given of a contact, over what is known of it.

What is absent stays as it is, and null empties. In metadata each key stands for itself, and null takes it away.
Whatever is no field of a contact's own is metadata.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from services.gateway.contacts.store import Details
from services.gateway.http import misfits

Text = str | UnsetType | None

_OWN = frozenset(Details.__struct_fields__)
# Who gives back what he was told may name these, and changes nothing by it.
_OURS = frozenset({"id", "created_at", "updated_at"})


class Change(Struct, frozen=True, kw_only=True):
    """`others` are metadata that was given beside the fields."""

    name: Text = UNSET
    email: Text = UNSET
    company: Text = UNSET
    tags: list[str] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    others: dict[str, Any] = {}

    def over(self, before: Details) -> Details:
        """What is known from now on."""
        return Details(
            name=_text(self.name, before.name),
            email=_text(self.email, before.email),
            company=_text(self.company, before.company),
            tags=before.tags if self.tags is UNSET else list(dict.fromkeys(self.tags or ())),
            metadata=self._metadata(before.metadata),
        )

    def _metadata(self, before: dict[str, Any]) -> dict[str, Any]:
        given = self.metadata
        kept = {} if given is None else before
        told = kept | (given or {}) | self.others
        return {key: value for key, value in told.items() if value is not None}


def read(fields: Mapping[str, Any]) -> Change:
    """Raises Fault INVALID for a field that is not what it must be."""
    own = {name: fields[name] for name in _OWN if name in fields}
    try:
        return msgspec.convert({**own, "others": others(fields)}, Change)
    except msgspec.ValidationError as error:
        raise misfits.fault(error, Change) from None


def others(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is metadata, by whatever name."""
    return {name: value for name, value in fields.items() if name not in _OWN | _OURS}


def _text(given: Text, before: str) -> str:
    return before if given is UNSET else (given or "").strip()
