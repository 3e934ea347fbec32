"""Prometheus metrics under TensorFlow Serving's names, labels and buckets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric

disable_created_metrics()  # TensorFlow Serving has no `_created` series.

# tensorflow::monitoring::Buckets::Exponential(10, 1.8, 33), in microseconds.
_LATENCY_BUCKETS = tuple(10 * 1.8**power for power in range(33))


class _Counters:
    """A counter that keeps the exact name: the library's own appends `_total` to it."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._values: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()

    def increment(self, *values: str, by: int = 1) -> None:
        with self._lock:
            self._values[values] += by

    def collect(self) -> Iterator[Metric]:
        metric = Metric(self._name, self._documentation, "unknown")
        with self._lock:
            for values, count in sorted(self._values.items()):
                metric.add_sample(
                    self._name, dict(zip(self._labels, values, strict=True)), float(count)
                )
        yield metric


class Metrics:
    """The metrics of one server. Latencies are in microseconds."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._counters: list[_Counters] = []
        self._requests = self._counter(
            ":tensorflow:serving:request_count",
            "The total number of requests.",
            "model_name",
            "status",
        )
        self._loads = self._counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "The number of times a SavedModel was requested to be loaded.",
            "model_path",
            "status",
        )
        self._load_latency = self._counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Latency in microseconds for SavedModels that were successfully loaded.",
            "model_path",
        )
        self._logged = self._counter(
            ":tensorflow:serving:request_log_count",
            "The total number of requests logged from the model server.",
            "model_name",
            "status",
        )
        self._request_latency = self._histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            "model_name",
            "API",
            "entrypoint",
        )
        self._runtime_latency = self._histogram(
            ":tensorflow:serving:runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            "model_name",
            "API",
            "runtime",
        )
        self._warmup_latency = self._histogram(
            ":tensorflow:serving:model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            "model_path",
            "status",
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> _Counters:
        counters = _Counters(name, documentation, labels)
        self._counters.append(counters)
        self._registry.register(counters)
        return counters

    def _histogram(self, name: str, documentation: str, *labels: str) -> Histogram:
        return Histogram(
            name, documentation, labels, buckets=_LATENCY_BUCKETS, registry=self._registry
        )

    def count_request(self, model: str, status: str) -> None:
        """Counts one inference request by the name of its status code."""
        self._requests.increment(model, status)

    def observe_request(self, model: str, api: str, entrypoint: str, seconds: float) -> None:
        """Records the time in the server of a whole request."""
        self._request_latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def observe_run(self, model: str, api: str, seconds: float) -> None:
        """Records the time that running the graph took."""
        self._runtime_latency.labels(model, api, "TF1").observe(seconds * 1e6)

    def count_load(self, path: str, seconds: float | None) -> None:
        """Counts one attempt to load a version; None for one that failed."""
        self._loads.increment(path, "fail" if seconds is None else "success")
        if seconds is not None:
            self._load_latency.increment(path, by=round(seconds * 1e6))

    def observe_warmup(self, path: str, status: str, seconds: float) -> None:
        """Records the time that the warm-up of a version took."""
        self._warmup_latency.labels(path, status).observe(seconds * 1e6)

    def count_logged(self, model: str, status: str) -> None:
        """Counts one sampled request by whether it reached the request log."""
        self._logged.increment(model, status)

    def page(self) -> bytes:
        """The exposition in Prometheus' text format."""
        page = generate_latest(self._registry)
        for name in (counters._name for counters in self._counters):
            page = page.replace(
                f"# TYPE {name} untyped".encode(), f"# TYPE {name} counter".encode()
            )
        return page
