"""Between OpenAI's JSON and the engine's contracts, both ways: pure functions. They raise nothing but Fault."""

from services.gateway.dialects.openai.translate import (
    chat,
    embeddings,
    events,
    items,
    models,
    replies,
    responses,
    starting,
)

__all__ = ["chat", "embeddings", "events", "items", "models", "replies", "responses", "starting"]
