"""What the bus counts. Gauges are read when asked for: they cost the hot path nothing."""

from typing import Protocol

from prometheus_client import Counter, Gauge

SLOTS = Gauge("polyvox_bus_slots_in_use", "Requests being handled", ["subject", "instance"])
WAITING = Gauge("polyvox_bus_requests_waiting", "Accepted requests that wait for a slot", ["subject", "instance"])
EXPIRED = Counter("polyvox_bus_requests_expired", "Requests whose caller gave up before a slot was free", ["subject"])
REFUSED = Counter("polyvox_bus_requests_refused", "Requests answered UNAVAILABLE because too many waited", ["subject"])
ASKED_TWICE = Counter("polyvox_bus_calls_repeated", "Questions asked again because no answer came for a while")
FRAMES_UNSENT = Counter("polyvox_bus_frames_unsent", "Frames that could not be published")
UNKNOWN_FRAMES = Counter("polyvox_bus_unknown_frames", "Frames skipped because this version does not know their kind")
ASKED_AGAIN = Counter("polyvox_bus_frames_asked_again", "Cursors sent to catch up on a run", ["why"])
EVENTS_HEARD = Counter("polyvox_bus_events_heard", "Events whose effects were committed", ["service"])
EVENTS_FAILED = Counter("polyvox_bus_events_failed", "Failed attempts at an event's effects", ["service"])
DEAD_LETTERS = Counter("polyvox_bus_dead_letters", "Events given up", ["service"])


class Working(Protocol):
    @property
    def busy(self) -> int: ...
    @property
    def waiting(self) -> int: ...


def watch(working: Working, subject: str, instance: str) -> None:
    SLOTS.labels(subject, instance).set_function(lambda: working.busy)
    WAITING.labels(subject, instance).set_function(lambda: working.waiting)


def unwatch(subject: str, instance: str) -> None:
    for gauge in (SLOTS, WAITING):
        gauge.remove(subject, instance)
