"""LLMStack: apps that are run by their id, and datasources of entries, which are contexts of documents."""

from services.gateway.dialects.llmstack import auth, errors
from services.gateway.dialects.llmstack.routes import ROUTES
from services.gateway.http.voices import Voice

# The rest of /api at the root is another voice's.
_ROOTS = ("/api/apps", "/api/datasources", "/api/datasource_entries", "/api/datasource_types")

VOICE = Voice("llmstack", "/llmstack", _ROOTS, auth.caller, errors.render, ROUTES)
