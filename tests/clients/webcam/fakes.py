"""Stand-ins whose behaviour a test commands."""

import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import grpc
import numpy as np
from google.protobuf import any_pb2

from clients.webcam.backends import BackendUnavailableError, Prediction
from clients.webcam.backends import messages as m

LABELS = ("angry", "happy", "neutral")


class FakeBackend:
    """Says `happy` of every face.

    Attributes:
      gone: While set, it does not answer.
      hold: Cleared, it does not return.
      batches: Number of faces of each batch.
    """

    name = "fake"

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self.asked = threading.Event()
        self.batches: list[int] = []
        self.version = "1"
        self.labels = LABELS
        self.closed = False

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        self.asked.set()
        self.batches.append(len(faces))
        self.hold.wait(20)
        if self.gone.is_set():
            raise BackendUnavailableError("the server is not there")
        row = np.array([0.1, 0.7, 0.2], np.float32)
        return Prediction(np.tile(row, (len(faces), 1)), self.labels, self.version)

    def close(self) -> None:
        self.closed = True


class FakeSource:
    """Gives frames of a function until it is unplugged."""

    interval = 1 / 30

    def __init__(self, draw: Callable[[int], np.ndarray | None], *, live: bool = True) -> None:
        self.name = "fake camera"
        self.live = live
        self._draw = draw
        self._number = 0
        self.closed = False

    def read(self) -> np.ndarray | None:
        self._number += 1
        return self._draw(self._number)

    def close(self) -> None:
        self.closed = True


class FakeServer:
    """A gRPC server that answers as TensorFlow Serving does, on the port it was first given.

    Attributes:
      version: The version that answers; its first class is the likeliest.
      size: Side of the image it takes.
      labels: Its classes.
      hold: Cleared, it does not answer.
      batches: Shape of each batch.
    """

    def __init__(self) -> None:
        self.version, self.size = 1, 48
        self.labels: tuple[str, ...] = LABELS
        self.hold = threading.Event()
        self.hold.set()
        self.batches: list[tuple[int, ...]] = []
        self.port = 0
        self._server: Any = None
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=request.FromString,
                response_serializer=answer.SerializeToString,
            )
            for name, method, request, answer in (
                ("Predict", self._predict, m.PredictRequest, m.PredictResponse),
                (
                    "GetModelMetadata",
                    self._metadata,
                    m.GetModelMetadataRequest,
                    m.GetModelMetadataResponse,
                ),
            )
        }
        service = "tensorflow.serving.PredictionService"
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, handlers)]
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _predict(self, request: Any, context: Any) -> Any:
        if request.model_spec.name != "expression":
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        answer = m.PredictResponse()
        answer.model_spec.version.value = request.model_spec.version.value or self.version
        if request.model_spec.signature_name == "classify":
            classes = answer.outputs["classes"]
            classes.dtype = m.DT_STRING
            classes.string_val.extend(label.encode() for label in self.labels)
            return answer
        self.hold.wait(20)
        shape = tuple(dim.size for dim in request.inputs["pixels"].tensor_shape.dim)
        if shape[1] != self.size:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "wrong shape")
        self.batches.append(shape)
        row = np.full(len(self.labels), 0.1, np.float32)
        row[0] = 1 - row[1:].sum()
        output = answer.outputs["probabilities"]
        for size in (shape[0], len(self.labels)):
            output.tensor_shape.dim.add(size=size)
        output.float_val.extend(np.tile(row, shape[0]).tolist())
        return answer

    def _metadata(self, _request: Any, _context: Any) -> Any:
        signatures = m.SignatureDefMap()
        for size in (-1, self.size, self.size, 1):
            pixels = signatures.signature_def["pixels"].inputs["pixels"]
            pixels.tensor_shape.dim.add(size=size)
        packed = any_pb2.Any(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap",
            value=signatures.SerializeToString(),
        )
        answer = m.GetModelMetadataResponse()
        answer.metadata["signature_def"].MergeFromString(packed.SerializeToString())
        return answer
