"""OpenAI's routes, one module per noun: decode, translate, ask, translate back."""

from services.gateway.dialects.openai.routes import chat, embeddings, models, responses
from services.gateway.http.voices import listed

ROUTES = listed(chat.routes, responses.routes, models.routes, embeddings.routes)
