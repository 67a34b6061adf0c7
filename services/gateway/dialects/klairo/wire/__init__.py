"""KlairoAI's JSON as Structs, one module per noun. A field that a request does not have is refused by name."""

from services.gateway.dialects.klairo.wire import auth, contacts, errors, keys, webhooks

__all__ = ["auth", "contacts", "errors", "keys", "webhooks"]
