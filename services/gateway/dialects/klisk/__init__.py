"""Klisk: the workspace's actions as agents to chat with, over JSON, events, a WebSocket, a page and a widget."""

from services.gateway.dialects.klisk import auth, errors
from services.gateway.dialects.klisk.routes import OPEN_ROUTES, PAGES, ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("klisk", auth.PREFIX, ["/ws"], auth.caller, errors.render, ROUTES, OPEN_ROUTES, PAGES, cors=True)
