"""Klisk's routes: decode, translate, ask, translate back."""

from services.gateway.dialects.klisk.routes import chat, pages, socket
from services.gateway.http.voices import listed

ROUTES = listed(chat.routes)
OPEN_ROUTES = listed(socket.open_routes, pages.open_routes)
PAGES = listed(pages.pages)
