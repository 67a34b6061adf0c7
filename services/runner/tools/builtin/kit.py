"""The built-in tools: as they are offered, and as they are called.

The rule: the workspace is that of the run. Nothing that a model writes names another.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.bus.bus import Bus
from libs.contracts import tools
from libs.contracts.tools import Tool
from services.runner.tools import searching
from services.runner.tools.builtin import automations, contacts
from services.runner.tools.builtin.names import IDS

_SECONDS = 30.0


class Offer(Struct, frozen=True):
    kind: tools.SearchContext | tools.BuiltIn
    description: str
    parameters: dict[str, Any]


OFFERS = {
    "search_context": Offer(tools.SearchContext(), searching.DESCRIPTION, searching.PARAMETERS),
    "search_contacts": Offer(tools.SearchContacts(), contacts.SEARCH, contacts.SEARCHING),
    "get_contact": Offer(tools.GetContact(), contacts.GET, contacts.GETTING),
    "list_automations": Offer(tools.ListAutomations(), automations.LIST, automations.LISTING),
    "list_automation_runs": Offer(tools.ListAutomationRuns(), automations.RUNS, automations.TELLING),
}


def installed() -> list[Tool]:
    now = datetime.now(UTC)
    return [
        Tool(
            id=IDS[name],
            workspace_id=None,
            name=name,
            description=offer.description,
            parameters=offer.parameters,
            kind=offer.kind,
            headers={},
            timeout=_SECONDS,
            metadata={},
            created_by=None,
            created_at=now,
            updated_at=now,
        )
        for name, offer in OFFERS.items()
    ]


async def call(bus: Bus, workspace_id: UUID, kind: tools.BuiltIn, arguments: dict[str, Any]) -> str:
    """Raises Fault, in words for the model."""
    match kind:
        case tools.SearchContacts():
            return await contacts.search(bus, workspace_id, arguments)
        case tools.GetContact():
            return await contacts.get(bus, workspace_id, arguments)
        case tools.ListAutomations():
            return await automations.list(bus, workspace_id, arguments)
        case tools.ListAutomationRuns():
            return await automations.runs(bus, workspace_id, arguments)
