"""What a server counts, as Prometheus reads it at `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from sensenet.serve.batching import Batcher
from sensenet.serve.budget import Budget
from sensenet.serve.served import Served

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

MODEL = ("model", "version")


class Metrics:
    """The counters of one server, in a registry of their own. Labels are the names of served models only."""

    def __init__(self, budget: Budget) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "sensenet_requests", "Requests for inference.", (*MODEL, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "sensenet_request_seconds",
            "Seconds from the head of a request for inference to its response.",
            MODEL,
            buckets=SECONDS,
            registry=self._registry,
        )
        self._rows = Histogram(
            "sensenet_batch_rows",
            "Rows that were answered together.",
            MODEL,
            buckets=ROWS,
            registry=self._registry,
        )
        self._waiting = Gauge(
            "sensenet_waiting_rows", "Rows that wait for their batch.", MODEL, registry=self._registry
        )
        held = Gauge(
            "sensenet_held_bytes", "Memory reserved for requests and answers.", registry=self._registry
        )
        held.set_function(lambda: budget.held)

    def count_request(self, served: Served, status: int, seconds: float) -> None:
        """Count a request and its response."""
        self._requests.labels(served.name, served.version, status).inc()
        self._seconds.labels(served.name, served.version).observe(seconds)

    def count_batch(self, served: Served, rows: int) -> None:
        """Count a batch."""
        self._rows.labels(served.name, served.version).observe(rows)

    def watch(self, served: Served, batcher: Batcher) -> None:
        """Show how many rows wait in a model's queue."""
        self._waiting.labels(served.name, served.version).set_function(lambda: batcher.rows)

    def text(self) -> bytes:
        """Return all numbers in Prometheus' text format."""
        return generate_latest(self._registry)
