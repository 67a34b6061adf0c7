"""Providers' keys, and headers of tools and automations: sealed at rest, bound to the row that they stand in.

Of a key its last four characters are shown, of a header nothing but its name.
"""

from collections.abc import Callable
from uuid import UUID

import msgspec

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

    def seal_headers(self, tool_id: UUID, headers: dict[str, str]) -> bytes | None:
        return self._sealer().seal(msgspec.json.encode(headers), about=_about_tool(tool_id)) if headers else None

    def open_headers(self, tool_id: UUID, sealed: bytes | None) -> dict[str, str]:
        if not sealed:
            return {}
        return msgspec.json.decode(self._sealer().open(sealed, about=_about_tool(tool_id)), type=dict[str, str])

    def seal_steps(self, automation_id: UUID, headers: dict[str, dict[str, str]]) -> bytes | None:
        """Those of an automation's requests, by the names of its steps."""
        about = _about_automation(automation_id)
        return self._sealer().seal(msgspec.json.encode(headers), about=about) if headers else None

    def open_steps(self, automation_id: UUID, sealed: bytes | None) -> dict[str, dict[str, str]]:
        if not sealed:
            return {}
        opened = self._sealer().open(sealed, about=_about_automation(automation_id))
        return msgspec.json.decode(opened, type=dict[str, dict[str, str]])


def masked(key: str) -> str:
    return "…" + key[-_SHOWN:] if len(key) >= _TELLING else "…" if key else ""


def _about(provider_id: UUID) -> bytes:
    return b"runner.provider " + provider_id.bytes


def _about_tool(tool_id: UUID) -> bytes:
    return b"runner.tool " + tool_id.bytes


def _about_automation(automation_id: UUID) -> bytes:
    return b"runner.automation " + automation_id.bytes
