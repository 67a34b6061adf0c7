"""Klu's JSON as Structs, one module per noun: requests as its API page and SDKs send them, replies as they parse them.

Two replies are strict (an SDK raises at any key it does not know): RunReply and Presigned. The others answer the union
of what the API page and the SDKs name.
"""

from services.gateway.dialects.klu.wire import (
    actions,
    apps,
    contexts,
    data,
    datasets,
    documents,
    evals,
    experiments,
    feedback,
    finetunes,
    models,
    pages,
    runs,
    sessions,
    skills,
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
    "evals",
    "experiments",
    "feedback",
    "finetunes",
    "models",
    "pages",
    "runs",
    "sessions",
    "skills",
    "workflows",
    "workspaces",
]
