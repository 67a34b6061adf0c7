"""Between KlairoAI's JSON and the engine's contracts, both ways: pure functions, one module per noun.

They raise nothing but Fault.
"""

from services.gateway.dialects.klairo.translate import auth, chat, contacts, events, keys, notifications, webhooks

__all__ = ["auth", "chat", "contacts", "events", "keys", "notifications", "webhooks"]
