"""KlairoAI: Aria, contacts and automations, and webhooks and notifications, which tell of what every voice did."""

from services.gateway.dialects.klairo import auth, errors
from services.gateway.dialects.klairo.routes import OPEN_ROUTES, ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("klairo", "/klairo", ["/api"], auth.caller, errors.render, ROUTES, OPEN_ROUTES, knows=auth.knows)
