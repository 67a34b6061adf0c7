"""What the runner counts. No label is a user's to choose: models are told apart by the kind of their provider."""

from prometheus_client import Counter, Gauge, Histogram

from libs.contracts.runs import Run
from libs.postgres.database import Database
from libs.runtime.observing import Observed, query

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
RUNS = Counter("polyvox_runs", "Runs that ended, by how and in which mode", ["status", "mode"])
FIRST_TOKEN = Histogram("polyvox_run_first_token_seconds", "From a run's start to its first token", buckets=_SECONDS)
TOTAL = Histogram("polyvox_run_seconds", "From a run's start to its end", ["status"], buckets=_SECONDS)
TOKENS = Counter("polyvox_tokens", "Tokens of runs, by side and kind of provider", ["side", "kind"])
SLOTS = Gauge("polyvox_run_slots", "Run slots of this process", ["state"])
QUEUED = Gauge("polyvox_runs_queued", "Asynchronous runs that wait for a runner, of all workspaces")
QUEUED_SECONDS = Gauge("polyvox_runs_queued_oldest_seconds", "Age of the oldest of them")

AUTOMATION_RUNS = Counter("polyvox_automation_runs", "Runs of automations that ended, by how", ["status"])
STEPS_DUE = Gauge("polyvox_automation_steps_due", "Steps of automations that are due, of all workspaces")
STEPS_DUE_SECONDS = Gauge("polyvox_automation_steps_due_oldest_seconds", "For how long the oldest of them has been")

_STEPS = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM (
    SELECT due_at FROM automation_steps
    WHERE status IN ('running', 'waiting') AND due_at <= now() AND action_run_id IS NULL LIMIT 10000
) AS waiting
"""
_QUEUE = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM (SELECT created_at FROM runs WHERE status = 'queued' LIMIT 10000) AS waiting
"""


def ended(run: Run, kind: str) -> None:
    """`kind` is that of the provider."""
    RUNS.labels(run.status, run.mode).inc()
    if run.first_token_ms is not None:
        FIRST_TOKEN.observe(run.first_token_ms / 1000)
    if run.latency_ms is not None:
        TOTAL.labels(run.status).observe(run.latency_ms / 1000)
    if run.cached_from is None:
        TOKENS.labels("prompt", kind).inc(run.usage.prompt_tokens)
        TOKENS.labels("completion", kind).inc(run.usage.completion_tokens)


def queue(database: Database) -> Observed:
    return query(database, "queue of runs", (QUEUED, QUEUED_SECONDS), _QUEUE)


def steps(database: Database) -> Observed:
    return query(database, "steps of automations", (STEPS_DUE, STEPS_DUE_SECONDS), _STEPS)
