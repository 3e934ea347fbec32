"""Replays the warm-up requests that a SavedModel carries, before it takes traffic.

The file is a TFRecord of `PredictionLog`, as in TensorFlow Serving's SavedModel Warmup guide.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving.errors import ServingError, StatusCode, invalid_argument
from serving.inference import Inference
from serving.servable import Servable

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(servable: Servable, inference: Inference, iterations: int = 1) -> int:
    """Runs every request of the version's warm-up file.

    Args:
      servable: version that is not yet serving.
      inference: what any request of that version goes through.
      iterations: times each request is run.

    Returns:
      Number of records replayed; 0 without a file.

    Raises:
      ServingError: the file is damaged, too long, or holds a request that fails; TensorFlow
        Serving then does not serve the version either.
    """
    path = Path(servable.path) / WARMUP_FILE
    if not path.exists():
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MAX_RECORDS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
                )
            for _ in range(max(iterations, 1)):
                _replay(servable, record, inference, path)
    except tf.errors.DataLossError as error:
        raise ServingError(
            StatusCode.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from None
    return count


def _replay(servable: Servable, record: bytes, inference: Inference, path: Path) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        raise invalid_argument(f"Failed to parse warmup record from {path}") from None
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict(servable, log.predict_log.request, predict_pb2.PredictResponse())
    elif kind == "classify_log":
        inference.classify(
            servable, log.classify_log.request, classification_pb2.ClassificationResponse()
        )
    elif kind == "regress_log":
        inference.regress(servable, log.regress_log.request, regression_pb2.RegressionResponse())
    elif kind == "multi_inference_log":
        inference.multi_inference(
            servable,
            log.multi_inference_log.request,
            inference_pb2.MultiInferenceResponse(),
        )
    else:
        raise ServingError(
            StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind or 0}"
        )
