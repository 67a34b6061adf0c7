"""Between Klisk's JSON and the engine's contracts, both ways: pure functions. They raise nothing but Fault."""

from services.gateway.dialects.klisk.translate import chat, events, info, states

__all__ = ["chat", "events", "info", "states"]
