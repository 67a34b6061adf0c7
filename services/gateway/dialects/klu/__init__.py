"""Klu: apps of actions, run by POST /actions, kept as data points and rated."""

from services.gateway.dialects.klu import auth, errors
from services.gateway.dialects.klu.routes import OPEN_ROUTES, ROUTES
from services.gateway.http.voices import Voice

VOICE = Voice("klu", auth.PREFIX, ["/v1"], auth.caller, errors.render, ROUTES, OPEN_ROUTES)
