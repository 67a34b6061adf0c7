"""KlairoAI's JSON as Structs, one module per noun. A field that a request does not have is refused by name."""

from services.gateway.dialects.klairo.wire import (
    analytics,
    auth,
    automations,
    chat,
    contacts,
    errors,
    keys,
    notifications,
    webhooks,
)

__all__ = ["analytics", "auth", "automations", "chat", "contacts", "errors", "keys", "notifications", "webhooks"]
