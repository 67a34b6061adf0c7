"""Providers' keys: sealed at rest, bound to the row that they stand in, and shown by their last four characters."""

from collections.abc import Callable
from uuid import UUID

from libs.runtime.sealing import Sealer

_SHOWN = 4
# A key so short would be half given away.
_TELLING = 2 * _SHOWN


class Keys:
    """The sealer is made when the first key needs it: without one there need be no master key."""

    def __init__(self, sealer: Callable[[], Sealer]) -> None:
        self._sealer = sealer

    def seal(self, provider_id: UUID, key: str) -> bytes | None:
        return self._sealer().seal(key.encode(), about=_about(provider_id)) if key else None

    def open(self, provider_id: UUID, sealed: bytes | None) -> str:
        return self._sealer().open(sealed, about=_about(provider_id)).decode() if sealed else ""


def masked(key: str) -> str:
    return "…" + key[-_SHOWN:] if len(key) >= _TELLING else "…" if key else ""


def _about(provider_id: UUID) -> bytes:
    return b"runner.provider " + provider_id.bytes
