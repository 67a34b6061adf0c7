"""What the runtime counts. Gauges are read when asked for: they cost the hot path nothing."""

from prometheus_client import Gauge, disable_created_metrics

# A series more per counter, which nobody reads.
disable_created_metrics()

READY = Gauge("polyvox_ready", "1 while nothing is missing", ["service", "instance"])
CONNECTIONS = Gauge("polyvox_postgres_connections", "Connections of the pool", ["instance", "state"])
