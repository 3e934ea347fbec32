"""Loads a version and warms it up, the step between the file system and serving."""

from __future__ import annotations

import ctypes
import gc
import logging
import time
from dataclasses import dataclass
from typing import Any

from tensorflow.core.protobuf import config_pb2

from serving import warmup
from serving.config_files import BatchingOptions
from serving.errors import ServingError, from_exception
from serving.flags import ServerOptions
from serving.inference import Inference
from serving.metrics import Metrics
from serving.servable import LoadOptions, Servable

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loader:
    """Loads versions the same way each time.

    Attributes:
      options: how the graph is loaded and run.
      inference: replays the warm-up requests.
      metrics: counts loads.
      warmup_iterations: times each warm-up request is replayed; 0 skips the warm-up.
    """

    options: LoadOptions
    inference: Inference
    metrics: Metrics
    warmup_iterations: int = 1

    def __call__(self, name: str, version: int, path: str) -> Servable:
        """Loads one version, ready to serve.

        Raises:
          ServingError, tf.errors.OpError: it cannot be loaded, or its warm-up fails.
        """
        started = time.perf_counter()
        try:
            servable = Servable(name, version, path, self.options)
        except Exception:
            self.metrics.count_load(path, None)
            raise
        self.metrics.count_load(path, time.perf_counter() - started)
        if self.warmup_iterations:
            self._warm_up(servable)
        settle_heap()
        return servable

    def _warm_up(self, servable: Servable) -> None:
        started = time.perf_counter()
        try:
            count = warmup.warm_up(servable, self.inference, self.warmup_iterations)
        except Exception as error:
            known = from_exception(error)
            self._observe(servable, known.code.name, started)
            servable.retire()
            raise ServingError(known.code, f"Warm-up failed: {known.message}") from error
        if count:
            self._observe(servable, "OK", started)
            _log.info(
                "Finished reading warmup data for model at %s. Number of warmup records read: %d.",
                servable.path,
                count,
            )

    def _observe(self, servable: Servable, status: str, started: float) -> None:
        self.metrics.observe_warmup(servable.path, status, time.perf_counter() - started)


def settle_heap() -> None:
    """Frees what is garbage, and keeps the rest out of later collections.

    An imported graph is a million small objects: each full collection would stop every request
    for as long as it takes to visit them. Frees the graphs of retired versions too, which hold
    cycles, and gives their memory back to the operating system.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own.
    if trim:
        # What a graph freed lies in pieces between what lives on, in the heap of every thread that
        # ran it; without this each swap of the version leaves some megabytes resident.
        trim(0)


def load_options(options: ServerOptions, batching: BatchingOptions | None) -> LoadOptions:
    """Load options that the command line asks for."""
    return LoadOptions(
        tags=options.tags,
        session_config=_session_config(options),
        batching=batching,
        timeout_ms=options.rest_api_timeout_in_ms,
        max_instances=options.max_instances,
    )


def _session_config(options: ServerOptions) -> Any:
    shared = options.tensorflow_session_parallelism
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=options.tensorflow_intra_op_parallelism or shared,
        inter_op_parallelism_threads=options.tensorflow_inter_op_parallelism or shared,
    )
    # TensorFlow's idle threads would spin for work on the cores that read and write the network; on
    # two cores that took a third of the processor time of a one-image call.
    config.experimental.disable_thread_spinning = True
    config.gpu_options.per_process_gpu_memory_fraction = options.per_process_gpu_memory_fraction
    return config
