"""OpenAI's JSON as Structs: requests as its clients send them, replies as they parse them. One module per noun."""

from services.gateway.dialects.openai.wire import chat, embeddings, events, items, models, responses

__all__ = ["chat", "embeddings", "events", "items", "models", "responses"]
