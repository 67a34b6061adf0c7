"""Klu's routes, one module per noun: decode, translate, ask, translate back."""

from services.gateway.dialects.klu.routes import (
    actions,
    apps,
    completions,
    contexts,
    data,
    datasets,
    documents,
    evals,
    experiments,
    feedback,
    finetunes,
    models,
    providers,
    runs,
    sessions,
    skills,
    uploads,
    workflows,
    workspaces,
)
from services.gateway.http.voices import listed

ROUTES = listed(
    runs.routes,
    actions.routes,
    completions.routes,
    apps.routes,
    contexts.routes,
    documents.routes,
    uploads.routes,
    data.routes,
    datasets.routes,
    evals.routes,
    experiments.routes,
    feedback.routes,
    finetunes.routes,
    sessions.routes,
    skills.routes,
    models.routes,
    providers.routes,
    workflows.routes,
    workspaces.routes,
)
OPEN_ROUTES = listed(runs.open_routes, uploads.open_routes)
