"""What the gateway counts: its answers by route and status, and the streams it has open."""

import functools

from prometheus_client import Counter, Gauge, Histogram

STREAMS = Gauge("polyvox_http_streams", "Streams of events that are open")
STALLED = Counter("polyvox_http_streams_stalled", "Streams broken off because their reader took in nothing")
REFUSED = Counter("polyvox_http_requests_refused", "Requests refused at once because too much was in hand", ["what"])
REQUESTS = Gauge("polyvox_http_requests_in_hand", "Requests being answered, streams among them")
BODY_BYTES = Gauge("polyvox_http_body_bytes_held", "Bytes of the bodies of the requests in hand")
_ANSWERS = Histogram(
    "polyvox_http_seconds",
    "Seconds from a request to the end of its answer",
    ["method", "route", "status"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """`route` is the route's pattern, or empty where no route was met: a label must not be a client's to choose."""
    _answers(method if method in _METHODS else "other", route, status).observe(seconds)


@functools.lru_cache(5000)
def _answers(method: str, route: str, status: int) -> Histogram:
    return _ANSWERS.labels(method, route or "(none)", str(status))
