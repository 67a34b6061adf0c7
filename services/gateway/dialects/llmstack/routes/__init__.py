"""LLMStack's routes, one module per noun: decode, translate, ask, translate back."""

from services.gateway.dialects.llmstack.routes import apps, datasources, entries, runs
from services.gateway.http.voices import listed

ROUTES = listed(runs.routes, apps.routes, datasources.routes, entries.routes)
