"""Between Klu's JSON and the engine's contracts, both ways: pure functions, one module per noun.

They raise nothing but Fault: INVALID and NOT_FOUND, with the field that is wrong.
"""

from services.gateway.dialects.klu.translate import (
    actions,
    apps,
    contexts,
    data,
    datasets,
    documents,
    drafts,
    evals,
    events,
    experiments,
    feedback,
    finetunes,
    models,
    pages,
    runs,
    sessions,
    skills,
    values,
    workflows,
    workspaces,
)

__all__ = [
    "actions",
    "apps",
    "contexts",
    "data",
    "datasets",
    "documents",
    "drafts",
    "evals",
    "events",
    "experiments",
    "feedback",
    "finetunes",
    "models",
    "pages",
    "runs",
    "sessions",
    "skills",
    "values",
    "workflows",
    "workspaces",
]
