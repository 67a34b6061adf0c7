"""KlairoAI: so far its contacts, and its webhooks, which carry the events of every voice."""

from services.gateway.dialects.klairo import auth, errors
from services.gateway.dialects.klairo.routes import ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("klairo", "/klairo", ["/api"], auth.caller, errors.render, ROUTES)
