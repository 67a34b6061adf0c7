"""What is counted of the limits themselves."""

from prometheus_client import Counter

REFUSED = Counter("polyvox_limits_refused", "Requests refused because a limit was reached", ["kind"])
ASKED = Counter("polyvox_limits_asked", "Blocks of permits asked for in PostgreSQL")
