"""What the runtime counts. Gauges are read when asked for: they cost the hot path nothing."""

from prometheus_client import Gauge, disable_created_metrics

# A series more per counter, which nobody reads.
disable_created_metrics()

READY = Gauge("polyvox_ready", "1 while nothing is missing", ["service", "instance"])
CONNECTIONS = Gauge("polyvox_postgres_connections", "Connections of the pool", ["instance", "state"])
POOL_REFUSED = Gauge("polyvox_postgres_refused", "Callers refused at once because the line was full", ["instance"])

# What follows is read by libs.runtime.observing, up to 10,000 rows.
OBSERVATION_FAILED = Gauge(
    "polyvox_observation_failed", "1 while a backlog can't be read: its series are NaN", ["what"]
)
OUTBOX_ROWS = Gauge("polyvox_outbox_rows", "Facts that are committed and not yet published")
OUTBOX_SECONDS = Gauge("polyvox_outbox_oldest_seconds", "Age of the oldest of them")
EVENT_RETRIES = Gauge("polyvox_event_retries", "Events that failed and are tried again")
DEAD_LETTERS = Gauge("polyvox_dead_letters", "Events given up, for a person to look at")
ERASURES = Gauge("polyvox_erasures_due", "Erasures that are due")
