"""One callable signature of a loaded model, with its inputs checked before they reach the graph."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session as tf_session

from serving.errors import from_exception, invalid_argument

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
_CALLERS_THREAD = -1
DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class TensorSpec:
    """Declared type and shape of an input or output.

    Attributes:
      dtype: TensorFlow type.
      shape: sizes by dimension, -1 where any size is taken; None when the rank is open.
    """

    tensor_name: str
    dtype: tf.DType
    shape: tuple[int, ...] | None

    @classmethod
    def from_info(cls, info: Any) -> TensorSpec:
        """Reads a `TensorInfo`."""
        shape = None
        if not info.tensor_shape.unknown_rank:
            shape = tuple(int(dim.size) for dim in info.tensor_shape.dim)
        return cls(info.name, tf.dtypes.as_dtype(info.dtype), shape)

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a value of this shape may be fed."""
        return self.shape is None or (
            len(self.shape) == len(shape)
            and all(own in (-1, given) for own, given in zip(self.shape, shape, strict=True))
        )


class Signature:
    """Runs one signature of a session; safe to call from many threads."""

    def __init__(
        self,
        session: Any,
        signature_def: Any,
        timeout_ms: int,
        batched_outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Prepares the call.

        Args:
          session: session that holds the graph.
          signature_def: the `SignatureDef`.
          timeout_ms: longest run in milliseconds; 0 for no limit.
          batched_outputs: tensor names that route the outputs through the batcher.
        """
        self.method_name = str(signature_def.method_name)
        self.inputs = {
            name: TensorSpec.from_info(info) for name, info in sorted(signature_def.inputs.items())
        }
        self.outputs = {
            name: TensorSpec.from_info(info) for name, info in sorted(signature_def.outputs.items())
        }
        self._batched = batched_outputs is not None
        self._session = session
        self._limit_seconds = timeout_ms / 1e3 or math.inf
        self._has_answered = False
        self._running = 0
        self._lock = threading.Lock()
        fetches = batched_outputs or {n: spec.tensor_name for n, spec in self.outputs.items()}
        graph = session.graph
        self._feeds = [_output(graph, spec.tensor_name) for spec in self.inputs.values()]
        self._fetches = [_output(graph, fetches[name]) for name in self.outputs]
        session._extend_graph()

    def run(
        self, feeds: Mapping[str, np.ndarray], seconds_left: float = math.inf
    ) -> dict[str, np.ndarray]:
        """Computes every output.

        Args:
          feeds: a value for each input, of its declared type and shape.
          seconds_left: time until nobody waits for the answer any more.

        Returns:
          A value for each output, by name.

        Raises:
          ServingError: a value does not fit, or the graph failed on it.
        """
        values = [self._check(name, spec, feeds[name]) for name, spec in self.inputs.items()]
        if self._batched:
            _check_batchable(values)
        try:
            results = self._call(values, seconds_left)
        except (tf.errors.OpError, RuntimeError) as error:
            raise from_exception(error) from None
        self._has_answered = True
        return dict(zip(self.outputs, results, strict=True))

    def _call(self, values: Sequence[np.ndarray], seconds_left: float) -> list[np.ndarray]:
        with self._lock:
            self._running += 1
            alone = self._running == 1
        # What Session.run does for each call, without the 50 us of Python that find the tensors.
        options = tf_session.TF_NewBufferFromString(
            self._run_options(values, seconds_left, alone).SerializeToString()
        )
        try:
            feeds = dict(zip(self._feeds, values, strict=True))
            results: list[np.ndarray] = self._session._call_tf_sessionrun(
                options, feeds, self._fetches, [], None
            )
        finally:
            tf_session.TF_DeleteBuffer(options)
            with self._lock:
                self._running -= 1
        return results

    def _run_options(
        self, values: Sequence[np.ndarray], seconds_left: float, alone: bool
    ) -> config_pb2.RunOptions:
        options = config_pb2.RunOptions()
        seconds = min(seconds_left, self._limit_seconds)
        if seconds < math.inf:
            options.timeout_in_ms = math.ceil(seconds * 1e3)
        one_instance = all(value.shape[:1] in ((), (1,)) for value in values)
        if one_instance and alone and self._has_answered and not self._batched:
            # One image leaves the pool's threads nothing to share, and each step from thread to
            # thread costs more than it brings. Many at once are better off in the pool, which has
            # no more threads than there are cores. A run on the caller's thread cannot be stopped,
            # so the first run, which shows that the signature ends at all, is one that can.
            options.inter_op_thread_pool = _CALLERS_THREAD
        return options

    def _check(self, name: str, spec: TensorSpec, value: np.ndarray) -> np.ndarray:
        given = tf.dtypes.as_dtype(value.dtype)
        if given != spec.dtype:
            position = list(self.inputs).index(name)
            raise invalid_argument(
                f"Expects arg[{position}] to be {spec.dtype.name} but {given.name} is provided"
            )
        if not spec.accepts(value.shape):
            raise invalid_argument(
                f"input {name} has shape {list(value.shape)} but the signature takes "
                f"{list(spec.shape or ())}, where -1 is any size"
            )
        return value


def _output(graph: Any, tensor_name: str) -> Any:
    return graph.get_tensor_by_name(tensor_name)._as_tf_output()


def _check_batchable(values: list[np.ndarray]) -> None:
    if any(value.ndim == 0 for value in values):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    if len({value.shape[0] for value in values}) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
