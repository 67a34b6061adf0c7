"""Between KlairoAI's JSON and the engine's contracts, both ways: pure functions, one module per noun.

They raise nothing but Fault.
"""

from services.gateway.dialects.klairo.translate import (
    analytics,
    auth,
    automation_runs,
    automations,
    chat,
    contacts,
    events,
    keys,
    notifications,
    webhooks,
)

__all__ = [
    "analytics",
    "auth",
    "automation_runs",
    "automations",
    "chat",
    "contacts",
    "events",
    "keys",
    "notifications",
    "webhooks",
]
