"""KlairoAI: so far its logins, keys, chat and contacts, and its webhooks, which carry the events of every voice."""

from services.gateway.dialects.klairo import auth, errors
from services.gateway.dialects.klairo.routes import OPEN_ROUTES, ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("klairo", "/klairo", ["/api"], auth.caller, errors.render, ROUTES, OPEN_ROUTES, knows=auth.knows)
