"""What the other services answer: one of each noun, to be changed by `replace`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from libs.contracts import actions, apps, contexts, documents, feedback, ids, models, runs, sessions

NOW = datetime(2026, 3, 11, 11, 30, tzinfo=UTC)
WORKSPACE = UUID("01a20000-0000-7000-8000-0000000000aa")
APP = UUID("01a20000-0000-7000-8000-000000000001")
ACTION = UUID("01a20000-0000-7000-8000-000000000002")
MODEL = UUID("01a20000-0000-7000-8000-000000000003")
SESSION = UUID("01a20000-0000-7000-8000-000000000004")
CONTEXT = UUID("01a20000-0000-7000-8000-000000000005")
DOCUMENT = UUID("01a20000-0000-7000-8000-000000000006")
RUN = UUID("01a20000-0000-7000-8000-000000000007")
PROVIDER = UUID("01a20000-0000-7000-8000-000000000008")
FEEDBACK = UUID("01a20000-0000-7000-8000-000000000009")

app = apps.App(APP, WORKSPACE, "Support", "", "", None, None, NOW, NOW)
action = actions.Action(
    id=ACTION,
    workspace_id=WORKSPACE,
    app_id=APP,
    version_id=ids.new(),
    version=1,
    name="Answer",
    kind="prompt",
    description="",
    prompt="Answer: {{question}}",
    system_message="",
    model_id=None,
    parameters=actions.Parameters(),
    context_ids=[],
    metadata={},
    created_by=None,
    created_at=NOW,
    updated_at=NOW,
)
session = sessions.Session(SESSION, WORKSPACE, ACTION, "", "", None, NOW, NOW)
context = contexts.Context(CONTEXT, WORKSPACE, "Docs", "", "Custom", {}, 1, 1, 3, None, NOW, NOW)
document = documents.Document(
    DOCUMENT, WORKSPACE, CONTEXT, "a.txt", documents.Status.PENDING, {"lang": "en"}, 0, 0, 5, NOW, NOW
)
provider = models.Provider(PROVIDER, WORKSPACE, "OpenAI", "openai", "", "…cdef", False, None, NOW, NOW)
model = models.Model(MODEL, WORKSPACE, "gpt-4o", "", provider, 8192, True, None, NOW, NOW)
rating = feedback.Feedback(FEEDBACK, WORKSPACE, RUN, "rating", 2, "api", "", {}, NOW, NOW)
run = runs.Run(
    id=RUN,
    workspace_id=WORKSPACE,
    action_id=ACTION,
    action_version=1,
    status=runs.Status.SUCCEEDED,
    mode=runs.Mode.BLOCKING,
    voice="klu",
    inputs={"question": "Why?"},
    prompt=[runs.Message("system", "Be brief."), runs.Message("user", "Answer: Why?")],
    output="Because.",
    thinking="",
    model="gpt-4o",
    provider="OpenAI",
    usage=runs.Usage(12, 3),
    finish_reason="stop",
    sources=[],
    metadata={},
    created_at=NOW,
    session_id=SESSION,
    latency_ms=812.4,
    finished_at=NOW,
)


def started(asked: runs.StartRun, **changes: Any) -> runs.Run:
    """The run that a runner answers START with."""
    return replace(
        run,
        id=asked.run_id,
        workspace_id=asked.workspace_id,
        action_id=asked.action_id,
        mode=asked.mode,
        inputs=asked.inputs,
        **changes,
    )
