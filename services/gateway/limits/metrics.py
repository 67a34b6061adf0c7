"""What is counted of the limits themselves."""

from prometheus_client import Counter, Gauge

COUNTS = Gauge("polyvox_limits_counting", "1 in the process that counts for all of them")
REFUSED = Counter("polyvox_limits_refused", "Requests refused because a limit was reached", ["kind"])
ASKED = Counter("polyvox_limits_asked", "Questions for permits put to another process")
ALONE = Counter("polyvox_limits_alone", "Shares taken of a window while nobody counted")
