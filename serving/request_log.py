"""Sampled request logs: TFRecords of `PredictionLog`, written off the request's path.

A model asks for them with `logging_config` in the model config: a share of requests, and the
prefix of the files. Drift analysis reads the records back.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import invalid_argument
from serving.metrics import Metrics

_log = logging.getLogger(__name__)

QUEUE_LENGTH = 1024
MAX_FILE_BYTES = 64 * 1024 * 1024


class _File:
    """One TFRecord file; the writer starts the next when it is full."""

    def __init__(self, prefix: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        Path(prefix).parent.mkdir(parents=True, exist_ok=True)
        path = Path(f"{prefix}-{stamp}-{os.getpid()}-{time.monotonic_ns()}.tfrecord")
        self._writer = tf.io.TFRecordWriter(str(path))
        self.written = 0

    def write(self, record: bytes) -> None:
        self._writer.write(record)
        self.written += len(record)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class RequestLog:
    """Logs a sample of the requests of every model that configures it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._configs: dict[str, Any] = {}
        self._queue: queue.Queue[tuple[str, str, bytes] | None] = queue.Queue(QUEUE_LENGTH)
        self._files: dict[str, _File] = {}
        self._random = random.Random()  # noqa: S311 - sampling, not secrecy
        self._thread: threading.Thread | None = None

    def update(self, models: Mapping[str, Any]) -> None:
        """Takes the logging configs of a new list of `ModelConfig`.

        Raises:
          ServingError: two models log to the same files.
        """
        configs = {
            name: model.logging_config
            for name, model in models.items()
            if model.HasField("logging_config")
        }
        prefixes = [config.log_collector_config.filename_prefix for config in configs.values()]
        for prefix in prefixes:
            if prefixes.count(prefix) > 1:
                raise invalid_argument(f"Duplicate LogCollectorConfig::filename_prefix(): {prefix}")
        self._configs = configs
        if configs and self._thread is None:
            self._thread = threading.Thread(target=self._write, name="request-log", daemon=True)
            self._thread.start()

    def samples(self, model: str) -> bool:
        """Draws whether the next request of a model is logged."""
        config = self._configs.get(model)
        return config is not None and self._random.random() < config.sampling_config.sampling_rate

    def add(self, kind: str, request: Any, response: Any, model_spec: Any) -> None:
        """Queues one answered request.

        Args:
          kind: field of `PredictionLog`, such as `predict_log`.
          request: the request as it came.
          response: the answer as it goes out.
          model_spec: the version and signature that answered.
        """
        config = self._configs.get(model_spec.name)
        if config is None:
            return
        log = prediction_log_pb2.PredictionLog()
        getattr(log, kind).request.CopyFrom(request)
        getattr(log, kind).response.CopyFrom(response)
        log.log_metadata.model_spec.CopyFrom(model_spec)
        log.log_metadata.sampling_config.CopyFrom(config.sampling_config)
        log.log_metadata.timestamp_secs = int(time.time())
        prefix = config.log_collector_config.filename_prefix
        try:
            self._queue.put_nowait((model_spec.name, prefix, log.SerializeToString()))
        except queue.Full:
            # Logging gives way to serving.
            self._metrics.count_logged(model_spec.name, "RESOURCE_EXHAUSTED")

    def close(self) -> None:
        """Writes what is queued and closes the files."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _write(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                break
            name, prefix, record = item
            try:
                self._append(prefix, record)
                self._metrics.count_logged(name, "OK")
            except (OSError, tf.errors.OpError) as error:
                self._metrics.count_logged(name, "UNAVAILABLE")
                _log.error("The request log %s cannot be written: %s", prefix, error)
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _append(self, prefix: str, record: bytes) -> None:
        file = self._files.get(prefix)
        if file is None or file.written + len(record) > MAX_FILE_BYTES:
            if file is not None:
                file.close()
            file = self._files[prefix] = _File(prefix)
        file.write(record)
        if self._queue.empty():
            file.flush()
