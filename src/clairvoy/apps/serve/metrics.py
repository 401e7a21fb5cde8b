"""What is counted, in the form that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from clairvoy.apps.serve.crew import Crew

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counters of one server.

    Parameters
    ----------
    crew
        Whose places and processes are told.
    """

    def __init__(self, crew: Crew) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "clairvoy_requests", "Requests answered.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "clairvoy_request_seconds",
            "From the head of a request until its answer had gone.",
            ("route",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.pixels = Counter("clairvoy_pixels", "Pixels looked at.", registry=self.registry)
        for name, text, function in (
            ("clairvoy_places", "Pictures that may be there at a time.", lambda: crew.places),
            ("clairvoy_places_taken", "Pictures that are there now.", lambda: crew.taken),
            ("clairvoy_workers", "Processes that restore.", lambda: crew.alive),
            ("clairvoy_workers_busy", "Processes that restore a picture now.", lambda: crew.working),
            ("clairvoy_workers_lost", "Processes that were ended or lost at work.", lambda: crew.lost),
        ):
            Gauge(name, text, registry=self.registry).set_function(function)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request; a `status` of 0 is one that no answer was sent to."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything, for ``GET /metrics``."""
        return generate_latest(self.registry)
