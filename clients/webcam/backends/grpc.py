"""A server that speaks TensorFlow Serving's gRPC."""

from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np

from clients.webcam.backends import BackendUnavailableError, Prediction
from clients.webcam.backends import messages as m
from clients.webcam.backends.probe import SIGNATURE, blank_example
from clients.webcam.crops import batch
from pipeline.errors import UserError

_SERVICE = "/tensorflow.serving.PredictionService/"
_PIXELS = "pixels"


class GrpcServer:
    """A model behind `PredictionService`, asked through the signature `pixels`."""

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Makes a channel; nothing is sent before the first face.

        Args:
          address: `host:port`.
          model: The model's name on the server.
          version: Asks this version rather than the newest.
          label: Asks the version that this label points at.
          timeout: Seconds that an answer may take.
        """
        self.name = f"gRPC {address}"
        self._model = model
        self._version = version
        self._label = label
        self._timeout = timeout
        self._labels: dict[int, tuple[str, ...]] = {}
        self._size = 0
        self._channel = grpc.insecure_channel(
            address,
            # gRPC's own back-off grows to two minutes; the program has one of its own.
            options=[
                ("grpc.initial_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 2000),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._predict = self._method("Predict", m.PredictRequest, m.PredictResponse)
        self._metadata = self._method(
            "GetModelMetadata", m.GetModelMetadataRequest, m.GetModelMetadataResponse
        )

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        """See `Backend`."""
        self._size = self._size or self._image_size()
        try:
            answer = self._ask(faces)
        except UserError:
            # A version with another image size may have taken the place of the one before.
            before, self._size = self._size, self._image_size()
            if self._size == before:
                raise
            answer = self._ask(faces)
        version = answer.model_spec.version.value
        probabilities = _floats(answer.outputs["probabilities"])
        return Prediction(probabilities, self._class_names(version), str(version))

    def close(self) -> None:
        """See `Backend`."""
        self._channel.close()

    def _ask(self, faces: Sequence[np.ndarray]) -> Any:
        request = self._request(_PIXELS)
        request.inputs[_PIXELS].CopyFrom(_tensor(batch(faces, self._size)))
        request.output_filter.append("probabilities")
        return self._call(self._predict, request)

    def _method(self, name: str, request: Any, answer: Any) -> Any:
        return self._channel.unary_unary(
            _SERVICE + name,
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )

    def _request(self, signature: str, version: int | None = None) -> Any:
        request = m.PredictRequest()
        self._choose(request.model_spec, version)
        request.model_spec.signature_name = signature
        return request

    def _choose(self, spec: Any, version: int | None = None) -> None:
        spec.name = self._model
        if version or self._version:
            spec.version.value = version or self._version
        elif self._label:
            spec.version_label = self._label

    def _image_size(self) -> int:
        request = m.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._choose(request.model_spec)
        answer = self._call(self._metadata, request)
        signatures = m.SignatureDefMap.FromString(answer.metadata["signature_def"].value)
        shape = signatures.signature_def[_PIXELS].inputs[_PIXELS].tensor_shape.dim
        if len(shape) != 4:
            raise UserError(
                f"{self._model} at {self.name} has no signature `{_PIXELS}`; push it again."
            )
        return int(shape[1].size)

    def _class_names(self, version: int) -> tuple[str, ...]:
        if version not in self._labels:
            request = self._request(SIGNATURE, version)
            example = m.TensorProto(dtype=m.DT_STRING, string_val=[blank_example(self._size)])
            example.tensor_shape.dim.add(size=1)
            request.inputs["inputs"].CopyFrom(example)
            classes = self._call(self._predict, request).outputs["classes"]
            self._labels[version] = tuple(name.decode() for name in classes.string_val)
        return self._labels[version]

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code = error.code()
            if code == grpc.StatusCode.INVALID_ARGUMENT:
                raise UserError(f"{self.name} refused the request: {error.details()}") from None
            raise BackendUnavailableError(_clause(code)) from None


def _clause(code: grpc.StatusCode) -> str:
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return "the server is not there"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return "the server is too slow"
        case grpc.StatusCode.NOT_FOUND:
            return "the server has no such model"
    return f"the server answered {code.name}"


def _tensor(pixels: np.ndarray) -> Any:
    tensor = m.TensorProto(dtype=m.DT_UINT8, tensor_content=pixels.tobytes())
    for size in pixels.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _floats(tensor: Any) -> np.ndarray:
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, np.float32).reshape(shape)
    return np.array(tensor.float_val, np.float32).reshape(shape)
